// The chat page: streams an answer, keeps quotations apart from generated text, opens the passages that it stands on.
import { ask, button, byId, call, complain, connect, draw, element, facts, link } from "/page/door.js";

// What a request may switch, and how an abstention goes on; tests/test_chat_page.py holds both against ml/.
const STEPS = {
  route: "tell small talk from questions",
  self_query: "read dates, kinds and names out of the question",
  follow_up: "lean on the turns before",
  expand: "ask in other words as well",
  overfetch: "look at more passages than are kept",
  hybrid: "search by words too, not by meaning alone",
  rerank: "order anew what was found",
  compress: "show the model only the sentences that matter",
  embed_sentences: "choose those sentences by meaning",
  cite: "open with the author's own words",
  check: "check each sentence against the sources",
  strict: "leave out what no source supports",
};
const NEAREST = " The nearest things that I have written about: ";
// Turns that go along with a question; the endpoint looks at the last of them only.
const REMEMBERED = 4;
const DAY = 86_400_000;

let scopes = new Set();
let turns = [];
let stopping = null;

async function start(allowed) {
  scopes = allowed;
  const [model, names] = await Promise.all([ask("/model"), ask("/v1/models")]);
  const base = (model.base_model || "").split("/").pop();
  byId("model").textContent = byId("model").title = model.model_id
    ? `twin@${model.model_id} on ${base}, ${model.chunks} passages`
    : "no champion yet";
  byId("choice").replaceChildren(...names.data.map((m) => new Option(m.id, m.id)));
  byId("steps").append(...Object.entries(model.steps).map(([name, on]) => technique(name, on)));
  byId("teaching").hidden = !(scopes.has("teach") && scopes.has("feedback"));
  byId("traces").hidden = !scopes.has("watch");
  byId("welcome").hidden = byId("foot").hidden = false;
  byId("question").focus();
}

function technique(name, on) {
  const box = element("input");
  box.type = "checkbox";
  box.name = name;
  box.checked = box.defaultChecked = on;
  return element("label", "check", box, element("span", "", element("code", "", name), ` ${STEPS[name] || ""}`));
}

// Only what differs from the usual is asked for.
function switched() {
  const boxes = [...byId("steps").querySelectorAll("input")].filter((b) => b.checked !== b.defaultChecked);
  return Object.fromEntries(boxes.map((b) => [b.name, b.checked]));
}

// Only what limits the sources is said. The endpoint's `until` is the first moment that no longer counts, so the last
// day counts where that is the day after. Days are those of UTC, as in what the endpoint reads out of a question.
function limits() {
  const asked = { kind: byId("kind").value, since: midnight("since"), until: midnight("until", DAY) };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value));
}

function midnight(id, later = 0) {
  const box = byId(id);
  if (!box.validity.valid) throw new Error(`${box.labels[0].textContent}: ${box.validationMessage}`);
  return box.value && new Date(box.valueAsNumber + later).toISOString();
}

const day = (moment, later = 0) => moment && new Date(Date.parse(moment) + later).toISOString().slice(0, 10);

async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    waiting += value;
    const whole = waiting.split("\n\n");
    waiting = whole.pop();
    for (const event of whole) {
      const data = event.replace(/^data: /, "");
      if (data !== "[DONE]") yield JSON.parse(data);
    }
  }
}

async function respond(turn, insteadOf = "") {
  const show = draw(turn.answer);
  const messages = [...turn.earlier, { role: "user", content: turn.question }];
  byId("error").textContent = "";
  stopping = new AbortController();
  speaking(turn, true);
  turn.said = "";
  try {
    const how = { model: byId("choice").value, steps: switched(), ...limits() };
    const body = { ...how, stream: true, messages, instead_of: insteadOf };
    let last = null;
    for await (const event of events(await call("/v1/chat/completions", body, stopping.signal))) {
      if (event.error) throw new Error(event.error.message);
      for (const choice of event.choices) turn.said += choice.delta.content || "";
      if (event.trace_id) last = event;
      show(turn.said);
      turn.article.scrollIntoView({ block: "end" });
    }
    if (last) finish(turn, last);
    // All of it where it fits, else from the question on.
    const fits = turn.article.offsetHeight < innerHeight - byId("foot").offsetHeight;
    turn.article.scrollIntoView({ block: fits ? "end" : "start" });
  } catch (error) {
    if (error.name !== "AbortError") complain(error);
    else turn.answer.append(element("p", "hint", "Stopped."));
    turn.answer.append(element("div", "row", button("Ask again", () => respond(turn, insteadOf))));
  } finally {
    speaking(turn, false);
  }
}

function speaking(turn, now) {
  turn.article.setAttribute("aria-busy", String(now));
  turn.answer.classList.toggle("waiting", now);
  byId("send").hidden = now;
  byId("stop").hidden = !now;
}

function finish(turn, last) {
  const { answer } = turn;
  if (last.abstained) answer.replaceChildren(abstention(last.quoted));
  else judgeClaims(answer, last);
  if (last.sources.length) answer.append(element("ul", "sources", ...last.sources.map(card)));
  const { chance, route, kind, since, until } = last.understood;
  answer.append(facts({
    model: last.model_version,
    index: last.index.slice(0, 12),
    prompt: last.prompt_version,
    chance: chance ? `${Math.round(100 * chance)} %` : "",
    route, kind, since: day(since), until: day(until, -1),
  }), actions(turn, last));
  const count = last.sources.length;
  byId("news").textContent = last.abstained ? "The twin abstains." : `The answer is complete, with ${count} source${count === 1 ? "" : "s"}.`;
}

function abstention(text) {
  const [reason, known] = text.split(NEAREST);
  const made = element("div", "abstained", element("span", "tag", "no answer"), element("p", "said", reason));
  if (known) {
    const titles = known.replace(/\.$/, "").split("; ");
    made.append(element("p", "hint", "What I have written about, nearest first:"),
      element("ul", "", ...titles.map((t) => element("li", "", button(t, () => propose(t))))));
  }
  return made;
}

function propose(title) {
  byId("question").value = /[?]$/.test(title) ? title : `What do you say about “${title}”?`;
  byId("question").focus();
}

// Mark the sentences that no source supports.
function judgeClaims(answer, last) {
  const words = answer.querySelector(".words");
  answer.querySelector(".generated").hidden = !last.generated;
  if (!last.claims.length) return;
  words.replaceChildren(...last.claims.flatMap((claim) => {
    const text = claim.text.trim();
    if (claim.source) return [element("span", "", text), ` [${claim.source}] `];
    return [element("span", "unsupported", text, element("span", "aside", " (no source supports this)")), " "];
  }));
  const bare = last.claims.filter((claim) => !claim.source).length;
  if (bare) words.after(element("p", "hint", `${bare} of ${last.claims.length} sentences: no source supports what is dotted.`));
}

function card(source) {
  const made = element("li", "source",
    element("h3", "", `[${source.number}] `, source.title || source.url),
    facts({
      written: (source.published_at || "").slice(0, 10), score: source.score.toFixed(2),
      place: source.trust === "shared" ? "others write here, too" : "",
    }),
    element("p", "preview", source.quote));
  const row = element("div", "row");
  if (scopes.has("search")) row.append(opener(source, made));
  row.append(link(source.url, "Go to the source"));
  made.append(row);
  return made;
}

function opener(source, into) {
  let passage = null;
  const made = button("Show the passage", async () => {
    try {
      passage ||= await openPassage(source);
    } catch (error) {
      complain(error);
      return;
    }
    const open = made.getAttribute("aria-expanded") === "false";
    made.setAttribute("aria-expanded", String(open));
    made.textContent = open ? "Close the passage" : "Show the passage";
    into.classList.toggle("open", open);
    into.querySelector(".preview").hidden = open;
    if (open) into.querySelector(".row").before(passage);
    else passage.remove();
  });
  made.setAttribute("aria-expanded", "false");
  made.setAttribute("aria-label", `Show the passage of source ${source.number}`);
  return made;
}

async function openPassage(source) {
  const place = new URLSearchParams({ start: source.spans[0][0], end: source.spans.at(-1)[1] });
  const found = await ask(`/v1/documents/${encodeURIComponent(source.document_id)}/passage?${place}`);
  const made = element("p", "passage");
  // Places count characters as Python does, not halves of them.
  const text = [...found.text];
  let at = 0;
  for (const [start, end] of source.spans.map((span) => span.map((n) => n - found.start))) {
    made.append(text.slice(at, start).join(""), element("mark", "", text.slice(start, end).join("")));
    at = end;
  }
  made.append(text.slice(at).join(""));
  if (found.revision !== source.revision) made.prepend(element("span", "tag", "The text has changed since."));
  return made;
}

function actions(turn, last) {
  const row = element("div", "row actions");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "What you think of this answer");
  const given = { trace_id: last.trace_id, score: 0, edit: "" };
  if (scopes.has("feedback")) {
    row.append(thumb("Good", 1, given, row), thumb("Poor", -1, given, row));
    if (last.generated) row.append(button("I would have said …", (b) => edit(turn, last, given, b)));
  }
  row.append(button("Ask again", () => respond(turn, last.trace_id)));
  if (scopes.has("watch")) {
    const why = element("a", "button", "Why?");
    why.href = `/traces/${encodeURIComponent(last.trace_id)}`;
    why.setAttribute("aria-label", "Why this answer: its trace");
    row.append(why);
  }
  return row;
}

function thumb(label, score, given, row) {
  const made = button(label, async () => {
    if (!(await judge({ ...given, score: given.score === score ? 0 : score }, given))) return;
    row.querySelectorAll("[aria-pressed]").forEach((b) => b.setAttribute("aria-pressed", String(b === made && given.score === score)));
  });
  made.setAttribute("aria-pressed", "false");
  return made;
}

async function judge(wanted, given) {
  const consent = byId("consent").checked && !byId("teaching").hidden;
  try {
    await call("/v1/feedback", { ...wanted, consent });
  } catch (error) {
    complain(error);
    return false;
  }
  Object.assign(given, wanted);
  byId("news").textContent = consent ? "Kept; a model may learn from it." : "Kept.";
  return true;
}

function edit(turn, last, given, opener) {
  const box = element("textarea");
  box.id = `edit-${last.trace_id}`;
  box.rows = 5;
  box.maxLength = 8000;
  box.value = given.edit || last.generated;
  const label = element("label", "", "I would have said");
  label.htmlFor = box.id;
  const close = () => { form.remove(); opener.hidden = false; opener.focus(); };
  const save = element("button", "main", "Keep it");
  const learned = byId("consent").checked ? "A model may learn from it." : "No model learns from it; “How to answer” lets one.";
  const form = element("form", "edit", label, box, element("p", "hint", byId("teaching").hidden ? "" : learned),
    element("div", "row", save, button("Leave it", close)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!(await judge({ ...given, edit: box.value.trim() }, given))) return;
    opener.textContent = given.edit ? "You would have said …" : "I would have said …";
    close();
  });
  opener.hidden = true;
  turn.answer.append(form);
  box.focus();
}

function newTurn(question) {
  const answer = element("div", "answer");
  const article = element("article", "turn", element("h2", "question", question), answer);
  const earlier = turns.flatMap((t) => t.said ? [{ role: "user", content: t.question }, { role: "assistant", content: t.said }] : []);
  const turn = { question, answer, article, earlier: earlier.slice(-REMEMBERED), said: "" };
  turns.push(turn);
  byId("talk").append(article);
  return turn;
}

byId("ask-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = byId("question");
  const question = box.value.trim();
  if (!question || !byId("stop").hidden) return;
  box.value = "";
  byId("welcome").hidden = true;
  byId("again").hidden = false;
  await respond(newTurn(question));
  box.focus();
});

byId("question").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("ask-form").requestSubmit();
});

byId("stop").addEventListener("click", () => stopping.abort());

byId("again").addEventListener("click", () => {
  stopping?.abort();
  turns = [];
  byId("talk").replaceChildren();
  byId("error").textContent = "";
  byId("welcome").hidden = false;
  byId("again").hidden = true;
  byId("question").focus();
});

connect(start).catch(complain);
