// The official TypeScript client, version 1: lists, reads, calls, is asked, hears of changes.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema, ResourceUpdatedNotificationSchema }
  from '@modelcontextprotocol/sdk/types.js';

const [url] = process.argv.slice(2);
const client = new Client({ name: 'typescript-v1', version: '1' },
  { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema,
  () => ({ action: 'accept', content: { name: 'Ada', color: 'red' } }));
const heard = new Promise((resolve) => client.setNotificationHandler(
  ResourceUpdatedNotificationSchema, (told) => resolve(told.params.uri)));
const transport = new StreamableHTTPClientTransport(new URL(url + '/mcp'));
await client.connect(transport);

const progress = [];
const out = {
  version: transport.protocolVersion,
  server: client.getServerVersion().name,
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  text: (await client.callTool({ name: 'test_simple_text', arguments: {} })).content[0].text,
  progress,
  asked: (await client.callTool(
    { name: 'test_input_required_result_multi_round', arguments: {} })).content[0].text,
  resources: (await client.listResources()).resources.length,
  read: (await client.readResource({ uri: 'test://static-text' })).contents[0].text,
  prompts: (await client.listPrompts()).prompts.length,
};
await client.callTool({ name: 'test_tool_with_progress', arguments: {} }, undefined,
  { onprogress: (told) => progress.push(told.progress) });
await client.subscribeResource({ uri: 'typescript-v1' });
await fetch(url + '/api/v1/contexts/typescript-v1', {
  method: 'PUT', headers: { 'Content-Type': 'application/json' },
  body: '{"data":{"v":1},"force":true}' });
out.heard = await heard;
await transport.terminateSession();
await client.close();
console.log(JSON.stringify(out));
