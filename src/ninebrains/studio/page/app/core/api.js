// Asking our own server. Nothing else is ever asked.

/** The server said no, and why. */
export class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** The server cannot be reached. */
export class Unreachable extends Error {
  constructor() {
    super(
      "The studio does not answer. Is it still running? Your last change is kept here and sent when it is back.",
    );
  }
}

async function ask(path, options = {}) {
  let reply;
  try {
    reply = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => null);
  throw new Refused(sentence(told, reply.status), reply.status);
}

function sentence(told, status) {
  const text =
    typeof told?.error === "string" ? told.error : (told?.error?.message ?? told?.message);
  if (text) return text;
  if (status === 401 || status === 403)
    return "This page is no longer logged in. Open the address that the studio printed when it started.";
  return `The studio answered with status ${status} and no reason.`;
}

/** GET something as JSON. */
export const get = async (path, options) => (await ask(path, options)).json();

/** Send JSON, get JSON. */
export async function send(path, values = {}, method = "POST") {
  const options = {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(values),
  };
  return (await ask(path, options)).json();
}

/** DELETE something. */
export const remove = async (path) => (await ask(path, { method: "DELETE" })).json();

/** Send a body as it is (a form, a photo), get JSON. */
export const put = async (path, body, options = {}) =>
  (await ask(path, { method: "POST", body, ...options })).json();

/** Escaped values behind a path: query("/api/photos", {view: "all"}). */
export function query(path, values) {
  const known = Object.entries(values).filter(
    ([, value]) => value !== undefined && value !== null && value !== "",
  );
  return known.length ? `${path}?${new URLSearchParams(known)}` : path;
}
