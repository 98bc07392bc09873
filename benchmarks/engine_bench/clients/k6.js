// One page, asked by VUS users in a closed loop; the summary of the run as JSON.
//
// What could slow k6 down and is not needed is switched off: tags of each request, all but one
// percentile, a check for each half of a condition.

import http from "k6/http";
import { check } from "k6";

const url = __ENV.URL;
const body = __ENV.BODY;
const right = { right: (answer) => answer.status === 200 && answer.body === body };

export const options = {
  scenarios: {
    load: {
      executor: "constant-vus",
      vus: Number(__ENV.VUS),
      duration: __ENV.DURATION,
      gracefulStop: "0s",
    },
  },
  summaryTrendStats: ["med"],
  systemTags: [],
};

export default function () {
  check(http.get(url), right);
}

export function handleSummary(data) {
  return { stdout: JSON.stringify(data) };
}
