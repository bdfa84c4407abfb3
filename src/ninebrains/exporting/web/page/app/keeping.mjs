// Answers that people corrected or confirmed, with their photos: in this browser, nowhere else.

const STORE = "answers";

// Another export under another path of the same host has a database of its own.
const NAME = `ninebrains ${new URL("..", import.meta.url).pathname}`;

let opening;

function open() {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
}

async function run(mode, act) {
  let database;
  try {
    database = await open();
  } catch (error) {
    opening = undefined;
    throw new Error(`This browser does not let the page keep anything (${error?.message ?? error}).`);
  }
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () =>
      reject(new Error("Could not be kept: the browser's space for this page is full."));
  });
}

/** Keep an answer: {brain, version, photo: Blob, truth, answer, score, unfamiliar, at}. */
export async function keep(item) {
  navigator.storage?.persist?.().catch(() => {}); // ask not to be cleared; it is fine if not
  return run("readwrite", (store) => store.add(item));
}

/** Everything kept, the oldest first. */
export const allKept = () => run("readonly", (store) => store.getAll());

/** Delete one. */
export const forget = (id) => run("readwrite", (store) => store.delete(id));

/** Delete everything. */
export const forgetAll = () => run("readwrite", (store) => store.clear());
