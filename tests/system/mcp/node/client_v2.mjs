// The official TypeScript client, version 2, which speaks the revision without sessions.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [url] = process.argv.slice(2);
const client = new Client({ name: 'typescript-v2', version: '1' },
  { capabilities: { elicitation: {} }, versionNegotiation: { mode: 'auto' } });
client.setRequestHandler('elicitation/create',
  () => ({ action: 'accept', content: { name: 'Ada', color: 'red' } }));
await client.connect(new StreamableHTTPClientTransport(new URL(url + '/mcp')));

const progress = [];
const out = {
  version: client.getNegotiatedProtocolVersion(),
  server: client.getServerVersion()?.name,
  tools: (await client.listTools()).tools.map((tool) => tool.name),
  text: (await client.callTool({ name: 'test_simple_text', arguments: {} })).content[0].text,
  progress,
  asked: (await client.callTool(
    { name: 'test_input_required_result_multi_round', arguments: {} })).content[0].text,
  resources: (await client.listResources()).resources.length,
  read: (await client.readResource({ uri: 'test://static-text' })).contents[0].text,
  prompts: (await client.listPrompts()).prompts.length,
};
await client.callTool({ name: 'test_tool_with_progress', arguments: {} },
  { onprogress: (told) => progress.push(told.progress) });
await client.close();
console.log(JSON.stringify(out));
