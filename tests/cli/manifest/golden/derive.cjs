// Makes the JSON files beside it: what Tencent's own deployment code sends for this repository's serverless.yml.
// README.md says how to run it. Nothing leaves the machine: each request is caught where it would be signed.
const assert = require('node:assert');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');

const work = path.resolve(process.argv[2]);
const from = (name) => require(require.resolve(name, { paths: [work] }));
const beside = (name) => path.join(__dirname, name);

// The component's base class lives in Tencent's deployment engine; the other two only pack the zip.
const outside = { '@serverless/core': { Component: class {} }, rimraf: {}, './zipper': {} };
const load = Module._load;
Module._load = (name, ...rest) => outside[name] ?? load(name, ...rest);
from('sucrase/register');
const { ServerlessComponent } = require(path.join(work, 'component/src/index.ts'));
const { Cos } = from('tencent-component-toolkit');
Object.assign(Cos.prototype, { deploy: async () => {}, upload: async () => {} });

const functions = new Set();
let sent = [];
from('@tencent-sdk/capi').Capi.prototype.request = async ({ Action, Version, ...given }) => {
  sent.push({ Action, given });
  if (Action === 'CreateFunction') functions.add(given.FunctionName);
  if (Action === 'CreateTrigger') return { Response: { TriggerInfo: given } };
  if (Action !== 'GetFunction') return { Response: { Triggers: [], Tags: [], TotalCount: 0 } };
  if (functions.has(given.FunctionName)) return { Response: { ...given, Status: 'Active' } };
  return { Response: { Error: { Code: 'ResourceNotFound.Function', Message: 'there is none yet' } } };
};

const lines = fs.readFileSync(beside('choices.env'), 'utf8').trim().split('\n');
const choices = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s)));
const chosen = (_, name) => choices[name] ?? assert.fail(`choices.env lacks ${name}`);
const description = fs.readFileSync(beside('../../../../serverless.yml'), 'utf8').replace(/\$\{env:(\w+)\}/g, chosen);

async function deploy() {
  sent = [];
  const { inputs, ...rest } = from('js-yaml').load(description);
  const credentials = { tencent: { tmpSecrets: { TmpSecretId: 'none', appId: '1250000000' } } };
  const component = Object.assign(new ServerlessComponent(), rest, { credentials, state: {} });
  await component.deploy({ ...inputs, src: 'package.zip' });
}

// Code is left out: the component stages the zip in a bucket, under a name made at random.
function keep(action, file) {
  const payloads = sent.filter((request) => request.Action === action).map(({ given: { Code, ...rest } }) => rest);
  fs.writeFileSync(beside(file), `${JSON.stringify(payloads, null, 2)}\n`);
}

(async () => {
  await deploy();
  keep('CreateFunction', 'create_function.json');
  keep('CreateTrigger', 'create_trigger.json');
  keep('AttachResourcesTag', 'attach_tag.json');
  await deploy(); // now everything is there
  keep('UpdateFunctionConfiguration', 'update_configuration.json');
})();
