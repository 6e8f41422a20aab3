// The chat page: streams an answer, shows quotations apart from generated text, and never writes HTML from data.
"use strict";

const talk = document.getElementById("talk");
const keyForm = document.getElementById("key-form");
const askForm = document.getElementById("ask-form");
let key = sessionStorage.getItem("twin-key") || "";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

async function call(path, body) {
  const headers = { Authorization: `Bearer ${key}` };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body) });
  if (response.ok) return response;
  const failure = await response.json().catch(() => ({}));
  throw new Error(failure.error ? failure.error.message : `The endpoint answered ${response.status}.`);
}

async function connect() {
  const model = await (await call("/model")).json();
  document.getElementById("model").textContent = model.model_id
    ? `twin@${model.model_id} on ${model.base_model}, ${model.chunks} passages`
    : "no champion yet";
  sessionStorage.setItem("twin-key", key);
  keyForm.hidden = true;
  askForm.hidden = false;
  document.getElementById("question").focus();
}

function showText(parts, text) {
  const lines = text.split("\n");
  const quoted = lines.filter((line) => line.startsWith("> ")).map((line) => line.slice(2));
  const mark = "In the twin's own words (generated): ";
  const at = text.indexOf(mark);
  parts.quote.textContent = quoted.join("\n\n");
  parts.quote.hidden = quoted.length === 0;
  parts.generated.textContent = at < 0 ? "" : text.slice(at + mark.length);
  parts.generated.hidden = at < 0;
  parts.plain.textContent = quoted.length === 0 && at < 0 ? text : "";
}

function showEnd(answer, last) {
  const list = element("ul", "sources");
  for (const source of last.sources || []) {
    const item = element("li", "", `[${source.number}] `);
    const link = element("a", "", source.title || source.url);
    if (/^https?:\/\//.test(source.url)) link.href = source.url;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    item.append(link);
    list.append(item);
  }
  answer.append(list, judge(last.trace_id));
}

function judge(traceId) {
  const row = element("p", "judge");
  for (const [label, score] of [["Good", 1], ["Poor", -1]]) {
    const button = element("button", "", label);
    button.type = "button";
    button.addEventListener("click", async () => {
      await call("/v1/feedback", { trace_id: traceId, score });
      row.querySelectorAll("button").forEach((b) => b.classList.toggle("chosen", b === button));
    });
    row.append(button);
  }
  return row;
}

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

async function ask(question) {
  talk.append(element("div", "question", question));
  const answer = element("div", "answer");
  const parts = { plain: element("p"), quote: element("blockquote"), generated: element("div", "generated") };
  parts.quote.hidden = parts.generated.hidden = true;
  answer.append(parts.plain, parts.quote, parts.generated);
  talk.append(answer);
  let text = "";
  let last = {};
  const response = await call("/v1/chat/completions", { model: "twin", stream: true, messages: [{ role: "user", content: question }] });
  for await (const event of events(response)) {
    if (event.error) throw new Error(event.error.message);
    for (const choice of event.choices) text += choice.delta.content || "";
    if (event.trace_id) last = event;
    showText(parts, text);
    talk.scrollTop = talk.scrollHeight;
  }
  showEnd(answer, last);
  talk.scrollTop = talk.scrollHeight;
}

function complain(error) {
  talk.append(element("p", "error", error.message));
}

keyForm.addEventListener("submit", (event) => {
  event.preventDefault();
  key = document.getElementById("key").value.trim();
  connect().catch(complain);
});

askForm.addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = document.getElementById("question");
  const button = askForm.querySelector("button");
  const question = box.value.trim();
  if (!question) return;
  box.value = "";
  button.disabled = true;
  await ask(question).catch(complain);
  button.disabled = false;
  box.focus();
});

if (key) connect().catch(() => sessionStorage.removeItem("twin-key"));
