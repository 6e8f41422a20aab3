// What was answered lately, and of one answer why it says what it says: steps, passages, model, feedback.
import { ask, byId, complain, connect, draw, element, facts, link } from "/page/door.js";

const when = (moment) => new Date(moment).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
const milliseconds = (seconds) => `${(1000 * seconds).toFixed(seconds < 0.1 ? 1 : 0)} ms`;
const THUMBS = { 1: "good", 0: "noted", "-1": "poor" };

async function start(scopes) {
  if (!scopes.has("watch")) throw new Error("This key may not read traces: it lacks the scope “watch”.");
  const id = location.pathname.split("/")[2];
  byId("all").hidden = !id;
  byId("shown").replaceChildren(...(id ? showTrace(await ask(`/v1/traces/${encodeURIComponent(decodeURIComponent(id))}/why`))
    : showList((await ask("/v1/traces?limit=100")).data)));
}

function showList(traces) {
  if (!traces.length) return [element("p", "hint", "Nothing was asked yet.")];
  const head = element("tr", "", ...["asked", "question", "outcome", "seconds", "thumbs", "model"].map((name) => {
    const cell = element("th", "", name);
    cell.scope = "col";
    return cell;
  }));
  const rows = traces.map((t) => element("tr", "",
    element("td", "number", when(t.asked_at)),
    element("td", "wide", opens(t)),
    element("td", "", t.abstained ? element("span", "chip warn", "abstained") : element("span", "chip", "answered")),
    element("td", "number", milliseconds(t.seconds)),
    element("td", "", t.scores.map((s) => THUMBS[s]).join(", ")),
    element("td", "", element("code", "", t.model_id))));
  const table = element("table", "", element("caption", "aside", "The newest answers"), element("thead", "", head), element("tbody", "", ...rows));
  return [element("h2", "", "The newest answers"), element("div", "panel", table)];
}

function opens(trace) {
  const made = element("a", "", trace.question);
  made.href = `/traces/${encodeURIComponent(trace.id)}`;
  return made;
}

function showTrace(why) {
  document.title = `${why.question} · LLM Twin`;
  const model = why.model || { id: "no longer kept" };
  const how = why.understood;
  const answer = element("div", "answer");
  draw(answer)(why.answer);
  if (why.abstained) answer.replaceChildren(element("div", "abstained", element("span", "tag", "no answer"), element("p", "said", why.answer)));
  return [
    element("h2", "question", why.question),
    answer,
    panel("How it was made", facts({
      asked: when(why.asked_at), model: model.id, "base model": (model.base_model || "").split("/").pop(), dataset: model.dataset_id,
      index: (how.index || "").slice(0, 12), prompt: how.prompt, reranker: how.reranker,
    })),
    panel("How the question was understood", facts({
      route: how.route, "searched for": how.search,
      "in other words": how.variants && how.variants.by ? `${how.variants.texts.join(" · ")} (${how.variants.by})` : "",
      author: how.author, kind: how.kind, since: how.since, until: how.until,
      steps: (how.steps || []).join(", "), chance: String(how.chance), "instead of": how.instead_of || "",
      "left out": (how.ignored || []).join(", "),
    })),
    panel(`Steps, ${milliseconds(Object.values(why.seconds).reduce((sum, s) => sum + s, 0))} together`,
      bars(Object.entries(why.seconds).map(([step, s]) => [step, s, milliseconds(s)]))),
    why.chunk_ids.length && panel("Passages, by score", bars(scores(why))),
    why.sources.length && panel("Sources", ...why.sources.map(source)),
    why.told.length && panel("What the model was told", told(why.told)),
    panel("Feedback", ...(why.feedback.length ? why.feedback.map(judgement) : [element("p", "hint", "Nobody has judged this answer.")])),
  ].filter(Boolean);
}

function panel(title, ...content) {
  return element("section", "panel", element("h3", "", title), ...content);
}

// Names, numbers and how they are written, as bars; the longest is the largest of all.
function bars(rows) {
  const largest = Math.max(...rows.map(([, value]) => value), 1e-9);
  return element("dl", "bars", ...rows.flatMap(([name, value, written]) => {
    const fill = element("i");
    fill.style.width = `${Math.max(0, (100 * value) / largest)}%`;
    const bar = element("dd", "bar", fill);
    bar.setAttribute("aria-hidden", "true");
    return [element("dt", "", name), bar, element("dd", "number", written)];
  }));
}

function scores(why) {
  const named = Object.fromEntries(why.sources.map((s) => [s.chunk_id, `[${s.number}] ${s.title}`]));
  const found = why.understood.scores || [];
  return why.chunk_ids.map((id, place) => [named[id] || `${id.slice(0, 12)} (not cited)`, found[place], (found[place] ?? 0).toFixed(2)]);
}

function source(named) {
  const crawl = named.crawl || {};
  return element("div", "", element("p", "", `[${named.number}] `, link(named.url, named.title || named.url)),
    element("blockquote", "", named.quote),
    facts({
      stands: named.stands ? "word for word where it stood" : "no longer: the text has changed or gone",
      crawled: crawl.fetched_at ? `${when(crawl.fetched_at)} from ${crawl.source}` : "", consent: crawl.consent,
    }));
}

// The messages as the model was given them, letter for letter, folded: they repeat the question and its passages.
function told(messages) {
  const letters = messages.reduce((sum, message) => sum + message.content.length, 0);
  const name = `${messages.length} messages, ${letters.toLocaleString()} characters`;
  return element("details", "", element("summary", "", name), ...messages.map((message) => element("div", "", element("span", "tag", message.role),
    element("pre", "said", message.content), message.left_out && element("p", "hint", `${message.left_out.toLocaleString()} bytes more are not kept.`))));
}

function judgement(given) {
  return element("div", "", facts({
    thumb: THUMBS[given.score], by: given.by, at: when(given.given_at), "may be learned from": given.consent ? "yes" : "no",
  }), given.comment && element("p", "said", given.comment), given.edit && element("blockquote", "", given.edit));
}

connect(start).catch(complain);
