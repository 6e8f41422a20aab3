// What both pages share: the key, calls to the endpoint, the theme, and elements that are never made of HTML from data.

export const byId = (id) => document.getElementById(id);

export function element(tag, className = "", ...content) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content.filter((c) => c !== "" && c !== null && c !== undefined));
  return made;
}

export function button(label, act) {
  const made = element("button", "", label);
  made.type = "button";
  made.addEventListener("click", () => act(made));
  return made;
}

// Names with values, as a list of terms; what is empty is left out.
export function facts(values) {
  const list = element("dl", "facts");
  for (const [name, value] of Object.entries(values)) {
    if (value) list.append(element("div", "", element("dt", "", name), element("dd", "", value)));
  }
  return list;
}

// A link to a source; only addresses of the web are followed.
export function link(url, label) {
  const made = element("a", "", label);
  if (!/^https?:\/\//i.test(url)) return element("span", "", label);
  made.href = url;
  made.rel = "noopener noreferrer";
  made.target = "_blank";
  return made;
}

// What stands between the evidence and what the model says; tests/test_chat_page.py holds it against ml/answer.py.
const MARK = "In the twin's own words (generated): ";

// The evidence comes first, then the mark, then what the model says.
export function draw(answer) {
  const plain = element("p", "said");
  const quote = element("blockquote");
  const words = element("div", "said words");
  const generated = element("div", "generated", element("span", "tag", "generated"), words);
  answer.replaceChildren(plain, quote, generated);
  const show = (text) => {
    const [evidence, ...own] = text.split(MARK);
    const quoted = evidence.split("\n").filter((line) => line.startsWith("> "));
    quote.textContent = quoted.map((line) => line.slice(2)).join("\n\n");
    quote.hidden = !quoted.length;
    words.textContent = own.join(MARK);
    generated.hidden = !own.length;
    plain.textContent = text;
    plain.hidden = quoted.length + own.length > 0;
  };
  show("");
  return show;
}

let key = sessionStorage.getItem("twin-key") || "";

export async function call(path, body, signal) {
  const headers = { Authorization: `Bearer ${key}` };
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  if (response.ok) return response;
  if (response.status === 401) throw new Error("This key is not let in.");
  const failure = await response.json().catch(() => ({}));
  throw new Error(failure.error ? failure.error.message : `The endpoint answered ${response.status}.`);
}

export const ask = async (path, body) => (await call(path, body)).json();

// Ask for a key until one is let in, then go on with what it may do.
export async function connect(start) {
  const form = byId("key-form");
  const enter = async () => {
    const its = await ask("/v1/key");
    sessionStorage.setItem("twin-key", key);
    form.hidden = true;
    byId("error").textContent = "";
    await start(new Set(its.scopes));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    key = byId("key").value.trim();
    enter().catch(complain);
  });
  if (key) await enter().catch(complain);
}

export function complain(error) {
  byId("error").textContent = error.message;
}

// Light or dark: what the system wants, until somebody says otherwise here.
const system = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.theme || (system.matches ? "dark" : "light")) === "dark";
const nameTheme = () => { byId("theme").textContent = isDark() ? "Light" : "Dark"; };

const chosen = localStorage.getItem("twin-theme");
if (chosen) document.documentElement.dataset.theme = chosen;
nameTheme();
system.addEventListener("change", nameTheme);
byId("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  localStorage.setItem("twin-theme", document.documentElement.dataset.theme);
  nameTheme();
});
