// A chat on openapi-fetch with the types of openapi-typescript.
import createClient from 'openapi-fetch';
import assert from 'node:assert/strict';
import { newUser, run, url } from './chat';
import { readEvents, type ServerEvent } from './guide';
import type { components, paths } from './schema';

type Delta = components['schemas']['DeltaEvent'];

const anonymous = createClient<paths>({ baseUrl: url });

async function signUp(name: string) {
  const body = newUser(name);
  const created = await anonymous.POST('/v1/users', { body });
  assert.equal(created.response.status, 201);
  const session = await anonymous.POST('/v1/sessions', { body });
  assert.ok(session.data);
  const headers = { Authorization: `Bearer ${session.data.accessToken}` };
  return { id: session.data.userId, api: createClient<paths>({ baseUrl: url, headers }) };
}

type Person = Awaited<ReturnType<typeof signUp>>;

async function sendText(from: Person, to: Person, clientMessageId: string, messageContent: string) {
  const body = { recipientId: to.id, clientMessageId, messageContent };
  const sent = await from.api.POST('/v1/messages', { body });
  assert.ok(sent.data, sent.error?.code);
  return sent.data;
}

async function openStream(person: Person, cursor: string) {
  const end = new AbortController();
  const stream = await person.api.GET('/v1/updates/stream', {
    params: { header: { 'Last-Event-ID': cursor } },
    parseAs: 'stream',
    signal: end.signal,
  });
  assert.ok(stream.data);
  return { events: readEvents(stream.data), end };
}

async function nextDelta(events: AsyncGenerator<ServerEvent>): Promise<{ id: string; delta: Delta }> {
  for (;;) {
    const { value } = await events.next();
    assert.ok(value, 'the stream has ended');
    if (value.name === 'delta') return { id: value.id, delta: JSON.parse(value.data) as Delta };
  }
}

function texts(messages: components['schemas']['Message'][]): (string | undefined)[] {
  return messages.map((message) => {
    // The union narrows: only a system message has a systemEvent, only a user's has a content.
    return message.messageType === 'system' ? message.systemEvent.type : message.messageContent;
  });
}

run(async () => {
  const alice = await signUp('alice');
  const bob = await signUp('bob');

  const before = await bob.api.GET('/v1/updates', { params: { query: { timeout: 0 } } });
  assert.ok(before.data);
  const cursor = before.data.lastUpdatedTimestamp;
  const poll = bob.api.GET('/v1/updates', { params: { query: { lastUpdatedTimestamp: cursor, timeout: 30 } } });
  const first = await sendText(alice, bob, 'first', 'Hello Bob');
  const retried = await sendText(alice, bob, 'first', 'Hello Bob');
  assert.deepEqual([retried.messageId, first.duplicate, retried.duplicate], [first.messageId, false, true]);
  const other = { recipientId: bob.id, clientMessageId: 'first', messageContent: 'Something else' };
  const refused = await alice.api.POST('/v1/messages', { body: other });
  assert.equal(refused.error?.code, 'client-message-id-reused');
  assert.deepEqual(texts((await poll).data?.messages ?? []), ['Hello Bob']);

  await sendText(alice, bob, 'second', 'How are you?');
  const path = { conversationId: first.conversationId };
  const newest = await bob.api.GET('/v1/conversations/{conversationId}/messages', { params: { path, query: { pageSize: 1 } } });
  assert.deepEqual([texts(newest.data?.messages ?? []), newest.data?.hasMore], [['How are you?'], true]);
  const query = { pageSize: 1, before: newest.data?.messages[0].messageId };
  const older = await bob.api.GET('/v1/conversations/{conversationId}/messages', { params: { path, query } });
  assert.deepEqual([texts(older.data?.messages ?? []), older.data?.hasMore], [['Hello Bob'], false]);

  const stream = await openStream(bob, String(cursor));
  const seen = await nextDelta(stream.events);
  assert.equal(texts(seen.delta.messages)[0], 'Hello Bob');
  stream.end.abort();
  await sendText(alice, bob, 'third', 'While Bob was away');
  const resumed = await openStream(bob, seen.id);
  let delta = seen.delta;
  while (!texts(delta.messages).includes('While Bob was away')) {
    assert.ok(delta === seen.delta || !texts(delta.messages).includes('Hello Bob'), 'a message came twice');
    delta = (await nextDelta(resumed.events)).delta;
  }
  resumed.end.abort();
});
