// A chat on the functions that @hey-api/openapi-ts makes.
import assert from 'node:assert/strict';
import { newUser, run, url } from './chat';
import { createClient, type Client } from './generated/hey-api/client';
import { createSession, createUser, fetchMessages, fetchUpdates, sendMessage, streamUpdates } from './generated/hey-api/sdk.gen';
import type { Message } from './generated/hey-api/types.gen';

const anonymous = createClient({ baseUrl: url });

interface Person {
  id: string;
  client: Client;
}

async function signUp(name: string): Promise<Person> {
  const body = newUser(name);
  const created = await createUser({ client: anonymous, body, throwOnError: true });
  const session = await createSession({ client: anonymous, body, throwOnError: true });
  assert.equal(session.data.userId, created.data.userId);
  const auth = (scheme: { type: string }) => (scheme.type === 'http' ? session.data.accessToken : undefined);
  return { id: created.data.userId, client: createClient({ baseUrl: url, auth }) };
}

async function sendText(from: Person, to: Person, clientMessageId: string, messageContent: string) {
  const body = { recipientId: to.id, clientMessageId, messageContent };
  return (await sendMessage({ client: from.client, body, throwOnError: true })).data;
}

function texts(messages: Message[]): (string | undefined)[] {
  return messages.map((message) => {
    // The union narrows: only a system message has a systemEvent, only a user's has a content.
    return message.messageType === 'system' ? message.systemEvent.type : message.messageContent;
  });
}

/** Reads Bob's stream from a cursor until a message with that text, and gives the texts and the last event's id. */
async function readUntil(person: Person, cursor: string, text: string): Promise<{ seen: (string | undefined)[]; id: string }> {
  const end = new AbortController();
  const seen: (string | undefined)[] = [];
  let id = cursor;
  const { stream } = await streamUpdates({
    client: person.client,
    headers: { 'Last-Event-ID': cursor },
    signal: end.signal,
    onSseEvent: (event) => (id = event.id ?? id),
    sseMaxRetryAttempts: 1,
  });
  for await (const event of stream) {
    if ('messages' in event) seen.push(...texts(event.messages));
    if (seen.includes(text)) break;
  }
  end.abort();
  return { seen, id };
}

run(async () => {
  const alice = await signUp('alice');
  const bob = await signUp('bob');

  const before = await fetchUpdates({ client: bob.client, query: { timeout: 0 }, throwOnError: true });
  const cursor = before.data.lastUpdatedTimestamp;
  const poll = fetchUpdates({ client: bob.client, query: { lastUpdatedTimestamp: cursor, timeout: 30 }, throwOnError: true });
  const first = await sendText(alice, bob, 'first', 'Hello Bob');
  const retried = await sendText(alice, bob, 'first', 'Hello Bob');
  assert.deepEqual([retried.messageId, first.duplicate, retried.duplicate], [first.messageId, false, true]);
  assert.deepEqual(texts((await poll).data.messages), ['Hello Bob']);

  await sendText(alice, bob, 'second', 'How are you?');
  const page = { client: bob.client, path: { conversationId: first.conversationId }, throwOnError: true } as const;
  const newest = await fetchMessages({ ...page, query: { pageSize: 1 } });
  assert.deepEqual([texts(newest.data.messages), newest.data.hasMore], [['How are you?'], true]);
  const older = await fetchMessages({ ...page, query: { pageSize: 1, before: newest.data.messages[0].messageId } });
  assert.deepEqual([texts(older.data.messages), older.data.hasMore], [['Hello Bob'], false]);

  const begin = await readUntil(bob, String(cursor), 'How are you?');
  assert.deepEqual(begin.seen, ['Hello Bob', 'How are you?']);
  await sendText(alice, bob, 'third', 'While Bob was away');
  const resumed = await readUntil(bob, begin.id, 'While Bob was away');
  assert.deepEqual(resumed.seen, ['While Bob was away']);
});
