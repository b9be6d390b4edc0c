// A robot in another language than the hub's, written from the API description and docs/format.md alone.
// `node robot.mjs HUB TOKEN SKILL`: joins, says what it serves, takes an assignment, fetches the base, sends a
// delta of nothing but zeros, and then tries what a hub must refuse. Prints one line of JSON.
import crypto from "node:crypto";

const [hub, token, skill] = process.argv.slice(2);
const api = "/api/v1";
const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
const sha256 = (bytes) => crypto.createHash("sha256").update(bytes).digest();
const sign = (statement) => crypto.sign(null, statement, privateKey).toString("base64");
let robot = "";

function proof(method, target, body) {
  const [path, query = ""] = target.split("?");
  const lines = [`"@method": ${method}`, `"@path": ${path}`, `"@query": ?${query}`];
  const covered = ['"@method"', '"@path"', '"@query"'];
  const headers = {};
  if (body.length) {
    headers["Content-Digest"] = `sha-256=:${sha256(body).toString("base64")}:`;
    lines.push(`"content-digest": ${headers["Content-Digest"]}`);
    covered.push('"content-digest"');
  }
  const parameters =
    `(${covered.join(" ")});created=${Math.floor(Date.now() / 1000)};keyid="${robot}";alg="ed25519"` +
    `;nonce="${crypto.randomBytes(18).toString("base64url")}"`;
  lines.push(`"@signature-params": ${parameters}`);
  headers["Signature-Input"] = `mine=${parameters}`;
  headers["Signature"] = `mine=:${sign(Buffer.from(lines.join("\n")))}:`;
  return headers;
}

async function ask(method, path, body = Buffer.alloc(0), more = {}) {
  const target = api + path;
  const headers = { ...(robot ? proof(method, target, body) : {}), ...more };
  const answer = await fetch(hub + target, { method, headers, body: body.length ? body : undefined });
  return { status: answer.status, headers, body: Buffer.from(await answer.arrayBuffer()) };
}

const json = { "Content-Type": "application/json" };
const message = (value) => Buffer.from(JSON.stringify(value));

async function join() {
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  const request = { token, name: "from-node", embodiment: "ur5e", public_key: "ed25519:" + raw.toString("base64") };
  const answer = await ask("POST", "/robots", message(request), json);
  robot = JSON.parse(answer.body).robot_id;
  return answer.status;
}

function delta(base, work) {
  const size = Number(base.readBigUInt64LE(0));
  const header = JSON.parse(base.subarray(8, 8 + size));
  delete header.__metadata__;
  const names = Object.keys(header).filter((name) => work.training.share !== "policy" || !name.startsWith("critic."));
  const about = {
    format: "zunft.delta/1", base: work.base.digest, round_id: work.round_id, robot_id: robot,
    codec: "raw", samples: 100, metrics: {},
  };
  const tensors = { __metadata__: { zunft: JSON.stringify(about) } };
  let end = 0;
  for (const name of names.sort()) {
    const bytes = 8 * header[name].shape.reduce((product, axis) => product * axis, 1);
    tensors[name] = { dtype: "F64", shape: header[name].shape, data_offsets: [end, (end += bytes)] };
  }
  let text = JSON.stringify(tensors);
  text += " ".repeat((8 - (text.length % 8)) % 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, Buffer.from(text), Buffer.alloc(end)]);
}

const said = { joined: await join() };
const { manifest } = JSON.parse((await ask("GET", `/skills/${skill}/versions/1`)).body);
const abilities = [{ task: manifest.task, contract: manifest.contract }];
said.told = (await ask("PUT", "/robots/me/abilities", message({ abilities }), json)).status;
const assigned = await ask("GET", `/robots/me/assignment?skill=${skill}&wait_seconds=20`);
said.assigned = assigned.status;
const work = JSON.parse(assigned.body);
const file = await ask("GET", `/skills/${skill}/versions/${work.base.version}/file`);
said.fetched = file.status;
said.digest = "sha256:" + sha256(file.body).toString("hex") === work.base.digest;
const bytes = delta(file.body, work);
const statement = Buffer.concat([Buffer.from("zunft.delta/1\n"), sha256(bytes)]);
const push = `/rounds/${work.round_id}/deltas`;
const pushed = await ask("POST", push, bytes, { "Zunft-Delta-Signature": sign(statement) });
said.pushed = [pushed.status, JSON.parse(pushed.body).status ?? pushed.body.toString()];

const again = await fetch(hub + api + push, { method: "POST", headers: pushed.headers, body: bytes });
said.again = [again.status, (await again.json()).error?.code];
const other = Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8, 1)]);
const headers = { ...proof("POST", api + push, bytes), "Zunft-Delta-Signature": sign(statement) };
const forged = await fetch(hub + api + push, { method: "POST", headers, body: other });
said.forged = [forged.status, (await forged.json()).error?.code];
console.log(JSON.stringify(said));
