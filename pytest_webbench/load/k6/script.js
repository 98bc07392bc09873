// The load of the k6 engine. plan.py writes what to do into files of a folder; one line for each request
// goes to the console output, and summary.py says what the lines mean.
import { SharedArray } from "k6/data";
import exec from "k6/execution";
import http from "k6/http";
import { sleep } from "k6";

const FOLDER = __ENV.WEBBENCH_FOLDER;
const ORDERS = JSON.parse(open(`${FOLDER}/orders.json`));
const DEADLINE_MS = ORDERS.deadline_ms === null ? Infinity : ORDERS.deadline_ms;
const LAST_MS = ORDERS.last_ms === null ? Infinity : ORDERS.last_ms;
const EXCHANGES = new SharedArray("exchanges", () => JSON.parse(open(`${FOLDER}/exchanges.json`)));
const COUNT = EXCHANGES.length;

const TIMED_OUT = 1050; // of https://grafana.com/docs/k6/latest/javascript-api/error-codes/
const MOST_BODIES = 3; // how many wrong bodies a user shows
const LONGEST_BODY = 262144; // in characters; a longer one is not shown
const FIRST_BACK_OFF_S = 0.001;
const LONGEST_BACK_OFF_S = 0.1;
const AFTER_END_MS = 50;

http.setResponseCallback(null); // what is right is judged here; spares a metric

// What a user remembers from one iteration to the next.
const questions = [];
let scenario = null;
let instance = null;
let startMs = 0;
let losses = 0;
let room = ORDERS.room;
let shown = 0;

export default function () {
  try {
    if (scenario === null) {
      begin();
    }
    takePart(scenario.iterationInTest);
  } catch (error) {
    exec.test.abort(`${error} ${error.stack}`);
  }
}

export function handleSummary(data) {
  return { [`${FOLDER}/summary.json`]: JSON.stringify(data.metrics) };
}

function begin() {
  scenario = exec.scenario;
  instance = exec.instance;
  if (ORDERS.open) {
    startMs = instance.currentTestRunDuration - scenario.progress * ORDERS.span_ms;
  }
  if (scenario.iterationInTest === 0) {
    console.log(`B ${nanoseconds(startMs)}`);
  }
}

function takePart(number) {
  const question = questions[number % COUNT] || learn(number % COUNT);
  const sentMs = instance.currentTestRunDuration;
  if (number >= ORDERS.limit || sentMs >= DEADLINE_MS || sentMs - startMs >= LAST_MS) {
    console.log(`S ${number}`);
    waitForEnd(sentMs);
    return;
  }
  const leftMs = DEADLINE_MS - sentMs;
  question.params.timeout = Math.min(ORDERS.timeout_ms, leftMs);
  const answer = ask(question);
  const endMs = instance.currentTestRunDuration;
  const timings = answer.timings;
  const isNew = timings.connecting > 0;
  const head = `${number} ${nanoseconds(sentMs)} ${nanoseconds(endMs)}`;
  if (endMs >= DEADLINE_MS || (answer.error_code === TIMED_OUT && leftMs < ORDERS.timeout_ms)) {
    console.log(`O ${head} ${isNew ? 1 : 0}`);
  } else if (answer.status === 0) {
    console.log(`F ${head} ${isNew ? 1 : 0} ${JSON.stringify(loss(answer))}`);
    backOff(DEADLINE_MS - endMs);
  } else {
    losses = 0;
    const body = answer.body;
    if (answer.status !== question.status || !isRight(question, body)) {
      console.log(`F ${head} ${isNew ? 1 : 0} ${JSON.stringify(wrong(answer, body))}`);
      return;
    }
    const times = `${nanoseconds(timings.sending + timings.waiting)} ${nanoseconds(timings.duration)}`;
    console.log(isNew ? `N ${head} ${times} ${nanoseconds(timings.blocked)}` : `R ${head} ${times}`);
  }
}

// Asking.

function learn(index) {
  const exchange = EXCHANGES[index]; // which parses it, each time
  const responseType = exchange.rule === "any" ? "none" : "text";
  const params = { headers: exchange.headers, responseType, timeout: 0 };
  const question = { ...exchange, params, expected: undefined, right: undefined };
  if (exchange.room <= room) {
    room -= exchange.room;
    questions[index] = question;
  }
  return question;
}

function ask(question) {
  try {
    return http.request(question.method, question.url, question.body, question.params);
  } catch (error) {
    if (!`${error}`.includes("unsupported response status")) {
      throw error;
    }
    return { error: `${error}`, error_code: 0, status: 0, timings: { connecting: 0, blocked: 1, receiving: 1 } };
  }
}

// Judging, as pytest_webbench.logic.judging does it.

function isRight(question, body) {
  switch (question.rule) {
    case "any":
      return true;
    case "empty":
      return body === "" || body === null;
    case "text":
      return body === question.text;
    default:
      return body === question.right || isRightJson(question, body);
  }
}

function isRightJson(question, body) {
  let actual;
  try {
    actual = JSON.parse(body);
  } catch (error) {
    return false;
  }
  const generated = question.generated;
  if (generated.length === 0) {
    const right = isSame(actual, JSON.parse(question.json));
    question.right = right ? body : question.right;
    return right;
  }
  // No two bodies are the same here, and they are small: what is expected stays parsed.
  question.expected = question.expected || { value: JSON.parse(question.json) };
  const expected = question.expected.value;
  if (!isObject(actual)) {
    return isSame(actual, expected);
  }
  const rest = isObject(expected) ? without(expected, generated) : expected;
  return generated.every((key) => has(actual, key)) && isSame(without(actual, generated), rest);
}

function isSame(actual, expected) {
  if (Array.isArray(expected)) {
    const comparable = Array.isArray(actual) && actual.length === expected.length;
    return comparable && expected.every((value, index) => isSame(actual[index], value));
  }
  if (!isObject(expected)) {
    return actual === expected;
  }
  const keys = Object.keys(expected);
  const comparable = isObject(actual) && Object.keys(actual).length === keys.length;
  return comparable && keys.every((key) => has(actual, key) && isSame(actual[key], expected[key]));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function has(value, key) {
  return Object.prototype.hasOwnProperty.call(value, key);
}

function without(value, keys) {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

// What went wrong.

function loss(answer) {
  const { blocked, receiving } = answer.timings;
  return { code: answer.error_code, error: answer.error, connected: blocked > 0, begun: receiving > 0 };
}

function wrong(answer, body) {
  const fault = { status: answer.status };
  if (shown < MOST_BODIES && body !== null && body.length <= LONGEST_BODY) {
    shown += 1;
    fault.body = body;
  }
  return fault;
}

// Waiting.

function backOff(leftMs) {
  if (!ORDERS.open) {
    const waitS = Math.min(FIRST_BACK_OFF_S * 2 ** losses, LONGEST_BACK_OFF_S, leftMs / 1000);
    losses = Math.min(losses + 1, 10);
    sleep(waitS);
  }
}

function waitForEnd(nowMs) {
  if (ORDERS.end_ms !== null) {
    sleep(Math.max(0, ORDERS.end_ms - nowMs + AFTER_END_MS) / 1000);
  }
}

function nanoseconds(milliseconds) {
  return Math.round(milliseconds * 1e6);
}
