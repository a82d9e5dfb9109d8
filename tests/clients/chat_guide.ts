// A chat on the code of docs/clients.md, over connections that this program cuts.
import assert from 'node:assert/strict';
import { newUser, run, url, waitUntil } from './chat';
import { Client, ParleyError, Store, fetchNames, fetchPage, follow, openConversation, send, start } from './guide';
import type { components } from './schema';

/** Stands between the guide's code and `fetch`: loses the answer of a send, cuts streams, and ends one with a `retry`. */
class Network {
  private readonly fetch = globalThis.fetch;
  private cutting = new AbortController();
  answersToLose = 0;
  streams = 0;
  retryMs = 0; // not 0: the next stream ends at once, with this retry
  private endedAt = 0;
  pauseMs = 0; // from that end to the next request
  refreshes = 0;

  use(): void {
    globalThis.fetch = async (input, init = {}) => {
      const path = new URL(String(input)).pathname;
      if (path === '/v1/sessions/refresh') this.refreshes += 1;
      if (path !== '/v1/updates/stream') return this.answer(path, await this.fetch(input, init));
      if (this.retryMs > 0) return this.endStream();
      if (this.pauseMs === 0 && this.endedAt > 0) this.pauseMs = performance.now() - this.endedAt;
      const signal = AbortSignal.any([this.cutting.signal, ...(init.signal ? [init.signal] : [])]);
      const response = await this.fetch(input, { ...init, signal });
      if (response.ok) this.streams += 1;
      return response;
    };
  }

  cutStreams(): void {
    this.cutting.abort();
    this.cutting = new AbortController();
  }

  private endStream(): Response {
    const body = `retry: ${this.retryMs}\n\n`;
    this.retryMs = 0;
    this.endedAt = performance.now();
    return new Response(body);
  }

  private answer(path: string, response: Response): Response {
    if (path !== '/v1/messages' || this.answersToLose === 0) return response;
    this.answersToLose -= 1;
    throw new TypeError('the connection is lost');
  }
}

async function signUp(name: string): Promise<{ client: Client; userId: string; username: string }> {
  const user = newUser(name);
  const client = new Client(url);
  const response = await client.call('POST', '/v1/users', { body: JSON.stringify(user) });
  await client.login(user.username, user.password, 'The guide');
  return { client, userId: ((await response.json()) as components['schemas']['User']).userId, username: user.username };
}

function session(client: Client): components['schemas']['Session'] {
  assert.ok(client.session);
  return client.session;
}

function texts(store: Store): (string | undefined)[] {
  return [...store.messages.values()]
    .map((message) => (message.messageType === 'system' ? message.systemEvent.type : message.messageContent))
    .sort();
}

async function call(client: Client, method: string, path: string, body: object): Promise<void> {
  await client.call(method, path, { body: JSON.stringify(body) });
}

run(async () => {
  const network = new Network();
  network.use();
  const alice = await signUp('alice');
  const bob = await signUp('bob');

  // A send whose answer is lost is repeated, and is stored once.
  network.answersToLose = 1;
  const message = { recipientId: bob.userId, clientMessageId: 'first', messageContent: 'Hello' };
  const first = await send(alice.client, message);
  assert.equal(first.duplicate, true);
  await assert.rejects(
    send(alice.client, { ...message, messageContent: 'Something else' }),
    (error) => error instanceof ParleyError && error.problem.code === 'client-message-id-reused',
  );

  const store = new Store();
  await start(bob.client, store);
  await openConversation(bob.client, store, first.conversationId);
  assert.deepEqual([store.conversations.size, texts(store)], [1, ['Hello']]);

  // A change that comes through the stream is merged.
  const end = new AbortController();
  const following = follow(bob.client, store, end.signal, () => {});
  await waitUntil(() => network.streams === 1, 'the stream opens');
  await call(alice.client, 'PATCH', `/v1/conversations/${first.conversationId}/messages/${first.messageId}`, { messageContent: 'Hello Bob' });
  await waitUntil(() => texts(store)[0] === 'Hello Bob', 'the edit is in the store');

  // The connection is lost and the access token has expired meanwhile: one refresh for all calls. The next stream ends without an error,
  // and the client waits as long as the server says: longer than it would by itself.
  const old = session(bob.client);
  bob.client.session = { ...old, accessToken: `${old.accessToken}x` };
  network.refreshes = 0;
  network.retryMs = 3500;
  network.cutStreams();
  await Promise.all([1, 2, 3].map(() => bob.client.call('GET', '/v1/users/me')));
  await send(alice.client, { ...message, clientMessageId: 'second', messageContent: 'While Bob was away' });
  await waitUntil(() => texts(store).length === 2, 'the message that was missed is in the store');
  assert.deepEqual(texts(store), ['Hello Bob', 'While Bob was away']);
  assert.notEqual(session(bob.client).refreshToken, old.refreshToken);
  assert.equal(session(bob.client).sessionId, old.sessionId);
  assert.equal(network.refreshes, 1);
  assert.equal(network.streams, 2);
  assert.ok(network.pauseMs >= 3450, `connected again after ${network.pauseMs} ms`);
  end.abort();
  await following;

  // Names of more users than one request takes, most of them unknown.
  const unknown = Array.from({ length: 150 }, (_, i) => String(i + 1));
  const names = await fetchNames(bob.client, [alice.userId, ...unknown, bob.userId]);
  assert.deepEqual([...names], [
    [alice.userId, alice.username],
    [bob.userId, bob.username],
  ]);

  // From a message in the middle to both ends of the conversation.
  for (let i = 0; i < 6; i++) {
    await send(alice.client, { ...message, clientMessageId: `more ${i}`, messageContent: `More ${i}` });
  }
  const all = new Store();
  await openConversation(bob.client, all, first.conversationId);
  const ids = [...all.messages.values()].map((m) => m.messageId);
  assert.equal(ids.length, 8);
  const shown = new Store();
  let page = await fetchPage(bob.client, shown, first.conversationId, 'around', ids[4], 3);
  assert.deepEqual(page.messages.map((m) => m.messageId), ids.slice(3, 6));
  let newest = page;
  while (newest.hasMoreAfter) newest = await fetchPage(bob.client, shown, first.conversationId, 'after', newest.messages[0].messageId, 3);
  while (page.hasMoreBefore) page = await fetchPage(bob.client, shown, first.conversationId, 'before', page.messages.at(-1)!.messageId, 3);
  assert.deepEqual([...shown.messages.keys()].sort(), [...all.messages.keys()].sort());

  // A cursor that the server cannot answer by changes: the page replaces the view.
  store.messages.set('1-2/3', { ...[...store.messages.values()][0], messageId: '3', conversationId: '1-2' });
  const response = await bob.client.call('GET', '/v1/updates?lastUpdatedTimestamp=9007199254740991');
  const update = (await response.json()) as components['schemas']['Delta'];
  assert.equal(update.isDeltaUpdate, false);
  store.apply(update);
  assert.ok(!store.messages.has('1-2/3'));
  assert.ok(store.cursor < 9007199254740991);

  // A session that has ended is not refreshed.
  const ended = session(bob.client);
  await bob.client.logout();
  assert.equal(bob.client.session, undefined);
  bob.client.session = ended;
  await assert.rejects(
    bob.client.call('GET', '/v1/users/me'),
    (error) => error instanceof ParleyError && error.problem.code === 'session-ended',
  );
});
