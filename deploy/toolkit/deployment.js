// What the vendor's deployment code sends for a serverless.yml, without sending it.
//
//   node deployment.js FILE...
//
// For each FILE, `tencent-component-toolkit` deploys it twice: to a region that has no such function yet, and once more over what the
// first deployment made. Printed: a JSON array, for each file {"calls": […], "again": […]} or {"error": "…"}; a call is
// {"service", "region", "action", "input"}. The network is replaced at the toolkit's one seam, and closed beneath it.
'use strict';

const fs = require('fs');
const net = require('net');
const yaml = require('js-yaml');
const { Capi } = require('@tencent-sdk/capi');
const { Scf } = require('tencent-component-toolkit');

// Standard output is the result's; the toolkit tells its progress there.
console.log = console.error;

// Whatever does not go through the seam must fail, not go out.
net.Socket.prototype.connect = function connect() {
  throw new Error('the deployment tried to open a connection');
};

const CREDENTIALS = { SecretId: 'AKIDnowhere', SecretKey: 'nowhere' };
// The component uploads the code first, and then names the place.
const CODE = { bucket: 'code-bucket', object: '/function.zip' };

/** As much of the SCF API as a deployment talks to: one region, what is created in it, and every call. */
class Region {
  constructor() {
    this.calls = [];
    this.function = null;
    this.triggers = [];
  }

  answer(service, region, action, input) {
    this.calls.push({ service, region, action, input });
    const serve = this[`on${action}`];
    if (!serve) {
      return { Error: { Code: 'InvalidAction', Message: `${service} ${action} is not played here` } };
    }
    return serve.call(this, input);
  }

  onGetFunction() {
    if (!this.function) {
      return { Error: { Code: 'ResourceNotFound.Function', Message: 'no such function' } };
    }
    return { ...this.function, Status: 'Active', StatusReasons: [] };
  }

  onCreateFunction(input) {
    this.function = { ...input, Qualifier: '$LATEST' };
    return {};
  }

  onUpdateFunctionCode() {
    return {};
  }

  onUpdateFunctionConfiguration(input) {
    this.function = { ...this.function, ...input };
    return {};
  }

  onUpdateFunctionEventInvokeConfig() {
    return {};
  }

  onPublishVersion() {
    return { FunctionVersion: '1' };
  }

  onGetAlias() {
    return { Name: '$DEFAULT', FunctionVersion: '$LATEST', RoutingConfig: { AdditionalVersionWeights: [] } };
  }

  onListTriggers({ Filters = [] }) {
    const fits = (trigger) => Filters.every(({ Name, Values }) => Values.includes(trigger[Name]));
    const found = this.triggers.filter(fits);
    return { Triggers: found, TotalCount: found.length };
  }

  // The API answers otherwise than it is asked: 1 for OPEN, and a timer's cron within JSON; the toolkit compares with that.
  onCreateTrigger({ Type, TriggerName, TriggerDesc, Enable, CustomArgument, Qualifier }) {
    const trigger = {
      Type,
      TriggerName,
      TriggerDesc: Type === 'timer' ? JSON.stringify({ cron: TriggerDesc }) : TriggerDesc,
      Enable: Enable === 'OPEN' ? 1 : 0,
      CustomArgument,
      Qualifier,
    };
    this.triggers.push(trigger);
    return { TriggerInfo: { ...trigger } };
  }

  onUpdateTrigger({ Type, TriggerName, TriggerDesc, Enable }) {
    const known = this.triggers.find((one) => one.Type === Type && one.TriggerName === TriggerName);
    Object.assign(known, { TriggerDesc, Enable: Enable === 'OPEN' ? 1 : 0 });
    return {};
  }

  onDeleteTrigger({ Type, TriggerName }) {
    this.triggers = this.triggers.filter((one) => one.Type !== Type || one.TriggerName !== TriggerName);
    return {};
  }

  onDescribeResourceTagsByResourceIds() {
    return { Tags: [], TotalCount: 0 };
  }

  onModifyResourceTags() {
    return {};
  }

  onAttachResourcesTag() {
    return {};
  }
}

/** `${env:NAME}` as the vendor's command resolves it: from the environment; a key whose variable is unset is not sent. */
function resolved(value) {
  if (Array.isArray(value)) {
    return value.map(resolved);
  }
  if (value && typeof value === 'object') {
    const entries = Object.entries(value).map(([key, item]) => [key, resolved(item)]);
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  }
  const named = typeof value === 'string' && /^\$\{env:(\w+)\}$/.exec(value);
  return named ? process.env[named[1]] : value;
}

async function deployed(file) {
  const { inputs } = yaml.safeLoad(fs.readFileSync(file, 'utf8'));
  const region = new Region();
  Capi.prototype.request = async function request({ Action, Version, ...input }) {
    const answer = region.answer(this.options.ServiceType, this.options.Region, Action, JSON.parse(JSON.stringify(input)));
    return { Response: { RequestId: 'recorded', ...answer } };
  };
  const deploy = () => new Scf(CREDENTIALS, inputs.region).deploy({ ...resolved(inputs), code: CODE });
  try {
    await deploy();
    const calls = region.calls.splice(0);
    await deploy();
    return { calls, again: region.calls };
  } catch (error) {
    return { error: error.message };
  }
}

async function main(files) {
  const results = [];
  for (const file of files) {
    results.push(await deployed(file));
  }
  process.stdout.write(`${JSON.stringify(results, null, 1)}\n`);
}

main(process.argv.slice(2));
