"use strict";
// Runs the vendor's own deployment code on inputs from stdin, with its network seam replaced: what it would ask of the platform
// is printed as JSON, and nothing leaves this machine.
const { Capi } = require("@tencent-sdk/capi");
const { Scf } = require("tencent-component-toolkit");

const calls = [];
let created = null;
Capi.prototype.request = async (data) => ({ Response: { RequestId: "request-id", ...answer(data) } });

function answer(data) {
  const { Action: action, ...parameters } = data;
  calls.push({ action, parameters });
  switch (action) {
    case "GetFunction":
      return created
        ? { ...created, Status: "Active", StatusDesc: "", Triggers: [] }
        : { Error: { Code: "ResourceNotFound.Function", Message: "there is no such function" } };
    case "CreateFunction":
      created = parameters;
      return {};
    case "ListTriggers":
      return { Triggers: [], TotalCount: 0 };
    case "CreateTrigger":
      return { TriggerInfo: { ...parameters } };
    default:
      return {};
  }
}

let text = "";
process.stdin.on("data", (part) => (text += part));
process.stdin.on("end", async () => {
  const { region, inputs } = JSON.parse(text);
  console.log = () => {};  // the vendor's progress
  const scf = new Scf({ SecretId: "none", SecretKey: "none" }, region);
  await scf.deploy({ ...inputs, code: { bucket: "bucket", object: "function.zip" } });
  process.stdout.write(JSON.stringify(calls));
  process.exit(0);
});
