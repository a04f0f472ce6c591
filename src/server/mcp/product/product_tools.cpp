#include "server/mcp/product/product_tools.hpp"

#include "server/mcp/product/schemas.hpp"
#include "server/mcp/product/tools.hpp"

namespace dyad::server::mcp {
namespace {

// Whoever calls a tool is present.
template <Handler handler>
void present(Call& call) {
    attend(call);
    handler(call);
}

// clang-format off
constexpr Tool kTools[] = {
    {.name = "memory_get", .title = "Read a value",
     .description = R"(Reads the value stored under a key, with its version and who wrote it when. With `version`, an earlier one. Read before you write: the version is the expected_version of your write.)",
     .input_schema = MCP_INPUT(R"("key")", MCP_KEY R"(,"version":{"type":"integer","minimum":1,"description":"An earlier version instead of the latest"})"),
     .output_schema = MCP_OUTPUT(MCP_VALUE_REQUIRED, MCP_VALUE),
     .read_only = true, .idempotent = true, .call = present<memory_get>},
    {.name = "memory_set", .title = "Write a value",
     .description = R"(Stores a JSON object under a key. A key that has a value needs the expected_version that you read; if somebody wrote meanwhile, nothing is written and you get both values. strategy "merge" merges three ways with what was written since your expected_version (what both changed stays as stored and is listed in `conflicts`); "ignore" keeps what is stored. Tag what every agent must know with "pinned".)",
     .input_schema = MCP_INPUT(R"("key","value")", MCP_KEY R"(,"value":{"type":"object","description":"What to store, whole: up to 256 KiB"},)" MCP_EXPECTED R"(,"strategy":{"enum":["replace","merge","ignore"],"default":"replace"},)" MCP_TYPE R"(,"tags":{"type":"array","items":{"type":"string","maxLength":64},"maxItems":32,"description":"Left out: as they are"},"ttl_days":{"type":"integer","minimum":0,"description":"Days until it expires; 0: never"},)" MCP_SAID "," MCP_FENCE "," MCP_OPERATION),
     .output_schema = MCP_VALUE_WRITTEN,
     .idempotent = true, .call = present<memory_set>},
    {.name = "memory_patch", .title = "Change part of a value",
     .description = R"(Changes part of a stored value without sending all of it. `patch` is an object to lay over it (null removes a member; RFC 7396), or an array of JSON Patch operations (RFC 6902), of which `test` can guard the others. Without expected_version it applies to whatever is stored.)",
     .input_schema = MCP_INPUT(R"("key","patch")", MCP_KEY R"(,"patch":{"type":["object","array"],"description":"Merge patch as an object, JSON Patch as an array"},)" MCP_EXPECTED "," MCP_SAID "," MCP_FENCE "," MCP_OPERATION),
     .output_schema = MCP_VALUE_WRITTEN,
     .call = present<memory_patch>},
    {.name = "memory_delete", .title = "Delete a value",
     .description = R"(Deletes the value stored under a key. Its history stays, and memory_restore brings it back.)",
     .input_schema = MCP_INPUT(R"("key")", MCP_KEY "," MCP_EXPECTED "," MCP_FENCE "," MCP_OPERATION),
     .output_schema = MCP_VALUE_WRITTEN,
     .destructive = true, .idempotent = true, .call = present<memory_delete>},
    {.name = "memory_list", .title = "List keys",
     .description = R"(Lists what is stored, by key: versions, tags, sizes and who wrote it, with `values` also what each says. Narrow it by prefix, tag, type or updated_since; go on with next_cursor.)",
     .input_schema = MCP_INPUT("", R"("prefix":{"type":"string","description":"Keys that begin so"},"tag":{"type":"string"},)" MCP_TYPE R"(,"updated_since":{"type":["string","integer"],"description":"A date, such as 2026-01-31T12:00:00Z, or milliseconds since 1970"},)" MCP_VALUES("false") "," MCP_LIMIT("100") R"(,"cursor":{"type":"string","description":"next_cursor of the page before"})"),
     .output_schema = MCP_OUTPUT(R"("values","next_cursor","position")", R"("values":)" MCP_LIST_OF(MCP_VALUE_REQUIRED, MCP_VALUE) R"(,"next_cursor":)" MCP_NULLABLE("string") R"(,"position":{"type":"string"})"),
     .read_only = true, .idempotent = true, .call = present<memory_list>},
    {.name = "memory_search", .title = "Search the memory",
     .description = R"(Full-text search over keys, values and tags, best first. All words must match; also: "a phrase", word*, OR, NOT, (brackets). Answers keys with the place that matches; memory_get reads the value.)",
     .input_schema = MCP_INPUT(R"("query")", R"("query":{"type":"string","minLength":1,"maxLength":1024},)" MCP_LIMIT("20")),
     .output_schema = MCP_OUTPUT(R"("hits")", R"("hits":)" MCP_LIST_OF(MCP_VALUE_REQUIRED R"(,"score","snippet")", MCP_VALUE R"(,"score":{"type":"number"},"snippet":{"type":"string"})")),
     .read_only = true, .idempotent = true, .call = present<memory_search>},
    {.name = "memory_history", .title = "History of a value",
     .description = R"(Earlier versions of a value, newest first: what was done, by whom, when; with `values` also what each said. Deleted values have a history, too.)",
     .input_schema = MCP_INPUT(R"("key")", MCP_KEY "," MCP_VALUES("false") "," MCP_LIMIT("20") "," MCP_BEFORE),
     .output_schema = MCP_OUTPUT(R"("versions","next_before")", R"("versions":)" MCP_LIST_OF(R"("action","offset",)" MCP_VALUE_REQUIRED, R"("action":{"type":"string"},"offset":{"type":"integer"},)" MCP_VALUE) R"(,"next_before":)" MCP_NULLABLE("integer")),
     .read_only = true, .idempotent = true, .call = present<memory_history>},
    {.name = "memory_restore", .title = "Restore an earlier version",
     .description = R"(Makes an earlier version of a value the latest again, also of a deleted one. Nothing is lost: it becomes a new version. memory_history has the versions.)",
     .input_schema = MCP_INPUT(R"("key","version")", MCP_KEY R"(,"version":{"type":"integer","minimum":1,"description":"The version to bring back"},)" MCP_EXPECTED "," MCP_FENCE "," MCP_OPERATION),
     .output_schema = MCP_VALUE_WRITTEN,
     .call = present<memory_restore>},
    {.name = "memory_changes", .title = "What changed",
     .description = R"(What everybody changed after a position (every list and write answers one), oldest first. Where nothing has, it waits up to wait_seconds and answers the moment something does. Left out, `since` means from now on. Go on with the position of the answer; `more`: there is more at once.)",
     .input_schema = MCP_INPUT("", R"("since":{"type":"string","description":"A position from an earlier answer"},"wait_seconds":{"type":"integer","minimum":0,"maximum":25,"default":0},"prefix":{"type":"string","description":"Only values whose key begins so"},)" MCP_VALUES("true") "," MCP_LIMIT("100")),
     .output_schema = MCP_OUTPUT(R"("changes","position","more")", R"("changes":)" MCP_LIST_OF(R"("offset","kind","provenance")", R"("offset":{"type":"integer"},"kind":{"type":"string"},)" MCP_PROVENANCE) R"(,"position":{"type":"string"},"more":{"type":"boolean"})"),
     .read_only = true, .idempotent = true, .call = present<memory_changes>},
    {.name = "context_pack", .title = "What to know for a task",
     .description = R"(The most useful memory for a task within a budget of tokens: pinned values first, then what you know in an older version, then by how well it matches the task and how recent it is; and what was left out, and why. What this session was shown already and has not changed is not shown again (`unchanged` counts it). After a compaction, or when you begin anew, pass fresh: true.)",
     .input_schema = MCP_INPUT("", R"("task":{"type":"string","description":"What you are about to do, in a sentence"},"budget_tokens":{"type":"integer","minimum":256,"maximum":32000,"default":2000},"session":{"type":"string","minLength":1,"maxLength":128,"description":"Your session's id. Left out, all sessions under your instance's name count as one"},"fresh":{"type":"boolean","default":false,"description":"Show everything again"})"),
     .output_schema = MCP_OUTPUT(R"("facts","removed","left_out","left_out_more","unchanged","session","position","budget_tokens","tokens")", R"("facts":)" MCP_LIST_OF(R"("why","status","value",)" MCP_VALUE_REQUIRED, R"("why":{"enum":["pinned","matches the task","recent"]},"status":{"enum":["new","changed"]},)" MCP_VALUE) R"(,"removed":{"description":"Keys that you were shown and that are gone","type":"array","items":{"type":"string"}},"left_out":)" MCP_LIST_OF(R"("key","version","tokens","matches","why")", R"("key":{"type":"string"},"version":{"type":"integer"},"tokens":{"type":"integer"},"matches":{"type":"string"},"why":{"enum":["no room","larger than the whole budget"]})") R"(,"left_out_more":{"type":"integer","description":"Left out beside those listed"},"unchanged":{"type":"integer","description":"Shown before, as it still is"},"session":{"type":"string"},"position":{"type":"string"},"budget_tokens":{"type":"integer"},"tokens":{"type":"integer"})"),
     .read_only = true, .call = present<context_pack>},
    {.name = "mode_get", .title = "Read a mode",
     .description = R"(The collaboration mode of an instance, yours where none is named, and what it is capable of: inspired (private, local), didactic (external AI) or parallel (both). mode is null where it has said none.)",
     .input_schema = MCP_INPUT("", R"("instance":{"type":"string","minLength":1,"maxLength":128})"),
     .output_schema = MCP_OUTPUT(R"("instance","mode","version")", MCP_MODE),
     .read_only = true, .idempotent = true, .call = present<mode_get>},
    {.name = "mode_set", .title = "Set a mode",
     .description = R"(Sets the collaboration mode of an instance, yours where none is named. In inspired mode an instance is private: it is not pushed anything, and is not listed.)",
     .input_schema = MCP_INPUT(R"("mode")", R"("mode":{"enum":["inspired","didactic","parallel"]},"instance":{"type":"string","minLength":1,"maxLength":128},)" MCP_EXPECTED "," MCP_FENCE "," MCP_OPERATION),
     .output_schema = MCP_WRITTEN(R"("instance","mode","version")", MCP_MODE),
     .idempotent = true, .call = present<mode_set>},
    {.name = "agents_list", .title = "Who takes part",
     .description = R"(The instances that share this memory: who is present now, since when, in which mode, what each has claimed and wrote last. `you` is the name that you write under.)",
     .input_schema = MCP_INPUT("", R"("present":{"type":"boolean","default":false,"description":"Only who is present now"})"),
     .output_schema = MCP_OUTPUT(R"("you","agents")", R"("you":{"type":"string"},"agents":)" MCP_LIST_OF(R"("instance","present")", R"("instance":{"type":"string"},"present":{"type":"boolean"},"connections":{"type":"integer"},"connected_at":)" MCP_TIME R"(,"last_seen":)" MCP_TIME R"(,"mode":{"type":"string"},"claims":)" MCP_LIST_OF(R"("resource","token","expires_at")", MCP_CLAIM) R"(,"last_write":{"type":"object"})")),
     .read_only = true, .idempotent = true, .call = present<agents_list>},
    {.name = "claim_acquire", .title = "Claim something",
     .description = R"(Says that you work on something (a key, a file, anything that has a name), so that others leave it alone. A lease: it ends after ttl_ms unless you claim it again, which renews it. If somebody else holds it you are told who and until when. Pass the claim as `fence` with your writes: they are refused once it is over.)",
     .input_schema = MCP_INPUT(R"("resource")", MCP_RESOURCE R"(,"ttl_ms":{"type":"integer","minimum":100,"maximum":86400000,"default":60000},"note":{"type":"string","maxLength":512,"description":"What you are about, for the others"},"session":{"type":"string","maxLength":128,"description":"Your session's id, where several work under your instance's name"},)" MCP_OPERATION),
     .output_schema = MCP_CLAIMED,
     .call = present<claim_acquire>},
    {.name = "claim_release", .title = "Give a claim back",
     .description = R"(Gives back what you claimed, at once instead of when it ends by itself.)",
     .input_schema = MCP_INPUT(R"("resource","token")", MCP_RESOURCE "," MCP_TOKEN "," MCP_OPERATION),
     .output_schema = MCP_CLAIMED,
     .idempotent = true, .call = present<claim_release>},
    {.name = "response_record", .title = "Record who answered",
     .description = R"(Records which AI answered a message, for the audit. The text itself is not kept, only its SHA-256.)",
     .input_schema = MCP_INPUT(R"("chat_id","message_id","source","provider","model","text")", R"("chat_id":{"type":"string","minLength":1,"maxLength":256},"message_id":{"type":"string","minLength":1,"maxLength":256},"source":{"enum":["local","external","harmonized"]},"provider":{"type":"string"},"model":{"type":"string"},"text":{"type":"string","description":"The answer"},"mode":{"enum":["inspired","didactic","parallel"],"description":"Left out: the mode in which such a source answers"},"confidence":{"type":"number","minimum":0,"maximum":1},"tools_used":)" MCP_STRINGS R"(,"input_tokens":{"type":"integer","minimum":0},"output_tokens":{"type":"integer","minimum":0},"cost_usd":{"type":"number","minimum":0},)" MCP_OPERATION),
     .output_schema = MCP_WRITTEN(R"("chat_id","message_id")", R"("chat_id":{"type":"string"},"message_id":{"type":"string"})"),
     .idempotent = true, .call = present<response_record>},
    {.name = "response_query", .title = "Who answered what",
     .description = R"(The audit of answers, newest first: which AI answered which message, with what, out of which contributions.)",
     .input_schema = MCP_INPUT("", R"("chat_id":{"type":"string"},"message_id":{"type":"string"},"provider":{"type":"string"},)" MCP_LIMIT("20") "," MCP_BEFORE),
     .output_schema = MCP_OUTPUT(R"("responses","next_before")", R"("responses":)" MCP_LIST_OF(R"("chat_id","message_id","mode","final","sources","provenance","offset")", R"("chat_id":{"type":"string"},"message_id":{"type":"string"},"mode":{"type":"string"},"final":{"type":"object"},"sources":)" MCP_OBJECTS R"(,"offset":{"type":"integer"},)" MCP_PROVENANCE) R"(,"next_before":)" MCP_NULLABLE("integer")),
     .read_only = true, .idempotent = true, .call = present<response_query>},
};
// clang-format on

}  // namespace

std::span<const Tool> product_tools() {
    return kTools;
}

}  // namespace dyad::server::mcp
