// Holds CloudFormation templates against AWS's resource schemas: every property
// is one of its type's, of the right kind, and what is required is there. Prints
// a line for each fault and ends with 1.
//
//	node check.mjs ../testdata/golden/*/postern.cloudformation.json
import { readFileSync } from 'node:fs';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';

const db = loadAwsServiceSpecSync();
let faults = 0;
let checked = 0;
const fault = (at, what) => {
  faults++;
  console.log(`${at}: ${what}`);
};

/** Functions of templates stand for values of any kind. */
const computed = (v) => v && typeof v === 'object' && Object.keys(v).length === 1 && /^(Ref|Fn::.*)$/.test(Object.keys(v)[0]);

function props(at, have, want) {
  for (const [name, v] of Object.entries(have)) {
    if (want[name]) value(`${at}.${name}`, v, want[name].type);
    else fault(at, `there is no property ${name}; there are ${Object.keys(want).join(', ')}`);
  }
  for (const [name, p] of Object.entries(want)) if (p.required && !(name in have)) fault(at, `${name} is missing`);
}

function value(at, v, type) {
  checked++;
  if (computed(v)) return;
  const is = (kind) => typeof v === kind || fault(at, `is ${JSON.stringify(v)}, which is no ${kind}`);
  switch (type.type) {
    case 'string':
      return is('string');
    case 'boolean':
      return is('boolean');
    case 'integer':
    case 'number':
      return is('number');
    case 'array':
      if (!Array.isArray(v)) return fault(at, 'is no list');
      return v.forEach((x, i) => value(`${at}[${i}]`, x, type.element));
    case 'map':
      return Object.entries(v).forEach(([k, x]) => value(`${at}.${k}`, x, type.element));
    case 'ref':
      if (typeof v !== 'object' || Array.isArray(v)) return fault(at, 'is no object');
      return props(at, v, db.get('typeDefinition', type.reference.$ref).properties);
    case 'tag':
      return props(at, v, { Key: { type: { type: 'string' }, required: true }, Value: { type: { type: 'string' }, required: true } });
    case 'json':
      return is('object');
    case 'union':
      return; // one of several: CloudFormation tells
    default:
      fault(at, `has a type that is not known here: ${type.type}`);
  }
}

for (const file of process.argv.slice(2)) {
  for (const [id, r] of Object.entries(JSON.parse(readFileSync(file, 'utf8')).Resources)) {
    const found = db.lookup('resource', 'cloudFormationType', 'equals', r.Type);
    if (!found.length) fault(`${file}: ${id}`, `there is no resource type ${r.Type}`);
    else props(`${file}: ${id}`, r.Properties, found.only().properties);
  }
}
if (!checked) fault('check', 'no template was named');
console.log(`${process.argv.length - 2} templates, ${checked} values, ${faults} faults`);
process.exit(faults ? 1 : 0);
