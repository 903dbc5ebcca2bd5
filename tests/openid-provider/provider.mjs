// A real OpenID Connect provider for the journeys: the certified `oidc-provider` with people of the tests and a login page
// of its own. `OIDC_MODULES` names the node_modules that the package is in. It listens on a free port of 127.0.0.1 and
// prints its issuer as one line of JSON. Beside the provider's own doors there are some for tests, under /test/:
//   POST /test/client  {origin, thin, logout}  registers the console at this origin; `thin`: groups only in userinfo
//   POST /test/people  {anna: {groups: [...]}}   who there is; the password of everybody is "provider-password"
//   POST /test/fault   {kind}                    what is wrong with the ID tokens from now on; empty: nothing
//   POST /test/keys                              new keys, as after a rotation
//   GET  /test/asked                             how often each door was asked
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const find = createRequire(`${process.env.OIDC_MODULES}/of-tests.js`);
const load = (name) => import(pathToFileURL(find.resolve(name)));
const { Provider } = await load("oidc-provider");
const jose = await load("jose");

const PASSWORD = "provider-password";
let people = {};
let fault = "";
let client = null;
let keys = [];
const asked = {};

async function key(kid) {
  const pair = await jose.generateKeyPair("RS256", { extractable: true });
  return { ...(await jose.exportJWK(pair.privateKey)), kid, alg: "RS256", use: "sig" };
}

/** An ID token with something wrong in it, signed as a good one unless that is what is wrong. */
async function spoil(token, kind) {
  const claims = jose.decodeJwt(token);
  const now = Math.floor(Date.now() / 1000);
  let signer = keys[0];
  if (kind === "expired") Object.assign(claims, { iat: now - 7200, exp: now - 3600 });
  if (kind === "a little expired") Object.assign(claims, { iat: now - 60, exp: now - 20 });
  if (kind === "future") Object.assign(claims, { iat: now + 3600, exp: now + 7200 });
  if (kind === "nonce") claims.nonce = "of-another-login";
  if (kind === "no nonce") delete claims.nonce;
  if (kind === "audience") claims.aud = "another-program";
  if (kind === "issuer") claims.iss = "http://127.0.0.1:1";
  if (kind === "old login") claims.auth_time = now - 3600;
  if (kind === "no groups") delete claims.groups;
  if (kind === "other key") signer = await key(keys[0].kid);
  if (kind === "unknown key") signer = await key("nobody-knows-it");
  if (kind === "none") {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
    return `${part({ alg: "none" })}.${part(claims)}.`;
  }
  if (kind === "own secret") {
    return new jose.SignJWT(claims).setProtectedHeader({ alg: "HS256" }).sign(new TextEncoder().encode(client.secret));
  }
  return new jose.SignJWT(claims).setProtectedHeader({ alg: "RS256", kid: signer.kid }).sign(await jose.importJWK(signer, "RS256"));
}

function make(issuer) {
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: client ? [{
      client_id: "hedgerow",
      client_secret: client.secret,
      redirect_uris: [`${client.origin}/login/openid/callback/`],
      post_logout_redirect_uris: [`${client.origin}/login/`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      require_auth_time: true,
    }] : [],
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
    conformIdTokenClaims: Boolean(client?.thin),
    scopes: ["openid", "profile", "email"],
    cookies: { keys: ["of the tests"] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: client?.logout !== false,
        logoutSource: (ctx, form) => {
          ctx.body = page("Log out", `${form}<button id="out" type="submit" form="op.logoutForm" name="logout" value="yes">Log out here, too</button>`);
        },
      },
    },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_ctx, sub) => {
      const name = Object.keys(people).find((each) => (people[each].sub ?? `number-of-${each}`) === sub);
      if (!name) return undefined;
      const { groups, username } = people[name];
      const claims = { sub, preferred_username: username ?? name, email: `${name}@example.net` };
      return { accountId: sub, claims: () => (groups ? { ...claims, groups } : claims) };
    },
    // Nobody is asked whether Hedgerow may know who they are.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      grant.addOIDCScope("openid profile email");
      await grant.save();
      return grant;
    },
  });
  provider.use(async (ctx, next) => {
    await next();
    if (fault && ctx.path === "/token" && ctx.body?.id_token) ctx.body.id_token = await spoil(ctx.body.id_token, fault);
  });
  return provider;
}

const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1>${body}</html>`;

async function read(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

/** The provider's own login page. */
async function interact(provider, request, response) {
  if (request.method === "GET") {
    response.setHeader("content-type", "text/html");
    response.end(page("Who are you", `<form method="post"><label>Name <input name="login" id="login"></label><label>Password <input name="password" id="password" type="password"></label><button name="do" value="in" id="in">Log in</button><button name="do" value="cancel" id="cancel">Cancel</button></form>`));
    return;
  }
  const form = new URLSearchParams(await read(request));
  const name = form.get("login") ?? "";
  if (form.get("do") === "cancel") {
    const error = { error: "access_denied", error_description: "cancelled" };
    await provider.interactionFinished(request, response, error, { mergeWithLastSubmission: false });
    return;
  }
  if (!people[name] || form.get("password") !== PASSWORD) {
    response.statusCode = 403;
    response.end(page("That is wrong", ""));
    return;
  }
  const login = { accountId: people[name].sub ?? `number-of-${name}` };
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

keys = [await key("first")];
let provider = null;
const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://127.0.0.1");
  asked[pathname] = (asked[pathname] ?? 0) + 1;
  try {
    if (pathname === "/favicon.ico") return response.writeHead(204).end();
    if (pathname.startsWith("/interaction/")) return await interact(provider, request, response);
    if (!pathname.startsWith("/test/")) return provider.callback()(request, response);
    if (pathname === "/test/asked") return response.end(JSON.stringify(asked));
    const given = JSON.parse((await read(request)) || "{}");
    if (pathname === "/test/client") client = given;
    if (pathname === "/test/people") people = given;
    if (pathname === "/test/fault") fault = given.kind;
    if (pathname === "/test/keys") keys = [await key(`key-${Date.now()}`)];
    if (pathname !== "/test/people" && pathname !== "/test/fault") provider = make(issuer);
    response.end("{}");
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  }
});
let issuer = "";
server.listen(Number(process.env.OIDC_PORT ?? 0), "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  provider = make(issuer);
  console.log(JSON.stringify({ issuer }));
});
