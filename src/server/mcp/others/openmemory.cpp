// The five tools of OpenMemory. They answer texts; those that are lists are JSON.
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "model/json.hpp"
#include "model/json_text.hpp"
#include "model/time_text.hpp"
#include "server/mcp/others/batch.hpp"
#include "server/mcp/others/given.hpp"
#include "server/mcp/others/others.hpp"
#include "server/mcp/product/context_pack.hpp"
#include "server/mcp/product/value.hpp"

#include <algorithm>
#include <map>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kPrefix = "memory:";
constexpr std::size_t kHitsRead = 200;  // of which those of other keys are passed over
constexpr std::size_t kHits = 20;

std::string hash_of(std::string_view words) {
    return to_hex(sha256({words})).substr(0, 32);
}

// A UUID (RFC 9562, version 8) that is made from the words.
std::string id_of(std::string_view words) {
    std::string hex = hash_of(words);
    hex[12] = '8';
    hex[16] = '8';
    for (const std::size_t at : {8U, 13U, 18U, 23U})
        hex.insert(at, 1, '-');
    return hex;
}

// What a memory says; nothing where the context is none.
std::optional<std::string> words_of(const Context& context) {
    if (context.deleted || !context.key.starts_with(kPrefix)) return std::nullopt;
    const Result<json::Value> data = json::parse(context.data);
    const auto* const object = data ? data->if_object() : nullptr;
    const json::Value* const text = object != nullptr ? object->if_contains("text") : nullptr;
    if (text == nullptr || !text->is_string()) return std::nullopt;
    return std::string(text->get_string());
}

void write_memory(json::Writer& out, const Context& context, const std::string& words,
                  std::optional<double> score = {}) {
    out.object([&] {
        out.members("id", std::string_view(context.key).substr(kPrefix.size()), "memory", words,
                    "hash", hash_of(words), "created_at", write_time(context.created_at_ms),
                    "updated_at", write_time(context.updated_at_ms));
        if (score) out.member("score", *score);
    });
}

void answer_text(Call& call, std::string_view text) {
    others::answer_with(call, text, json::written(text.size() + 32, [text](json::Writer& out) {
                            out.object("result", text);
                        }));
}

void add_memories(Call& call) {
    const auto given = others::text_of(call, "text");
    if (!given) return call.failed(given.error());
    const std::string words(trimmed(*given, " \t\r\n"));
    if (words.empty()) return call.failed(fail(Errc::missing_field, "text: is required"));
    const std::string id = id_of(words);
    Command command = others::command_of(
        call, PutContext{.key = std::string(kPrefix) + id,
                         .data = json::written(words.size() + 32, [&words](json::Writer& out) {
                             out.object("text", words);
                         })});
    command.conditions.none_match = VersionSet{.any = true, .versions = {}};
    const auto added = std::make_shared<bool>(false);
    std::vector<Command> commands;
    commands.push_back(std::move(command));
    others::Batch::run(
        call, std::move(commands),
        [added](std::size_t, const others::Outcome& outcome) {
            *added = std::holds_alternative<Reply>(outcome);
            return others::unless(outcome, Errc::version_conflict);
        },
        [added, id, words](Call& to) {
            answer_text(to, json::written(256, [&](json::Writer& out) {
                            out.raw("{\"results\":[");
                            out.object("id", id, "memory", words, "event", *added ? "ADD" : "NONE");
                            out.raw("]}");
                        }));
        });
}

void answer_hits(Call& call, const core::Snapshot& state, const std::vector<SearchHit>& hits) {
    std::map<std::string_view, const Context*> by_key;
    for (const ContextPtr& context : state.contexts)
        by_key[context->key] = context.get();
    std::string list;
    std::size_t count = 0;
    for (const SearchHit& hit : hits) {
        const auto found = by_key.find(hit.key);
        const auto words = found == by_key.end() ? std::nullopt : words_of(*found->second);
        if (!words || count++ == kHits) continue;
        list.append(list.empty() ? "" : ",").append(json::written(256, [&](json::Writer& out) {
            write_memory(out, *found->second, *words, hit.score);
        }));
    }
    answer_text(call, others::indented("{\"results\":[" + list + "]}"));
}

void search_memory(Call& call) {
    const auto given = others::text_of(call, "query");
    if (!given) return call.failed(given.error());
    const std::string query = query_of(*given);
    if (query.empty()) return answer_text(call, "{\n  \"results\": []\n}");
    call.node().engine().snapshot(call.user(), call.then([query](Call& to,
                                                                 const SnapshotPtr& state) {
        to.node().store().search(to.user(), query, kHitsRead,
                                 to.then([state](Call& end, const std::vector<SearchHit>& hits) {
                                     answer_hits(end, *state, hits);
                                 }));
    }));
}

void list_memories(Call& call) {
    call.node().engine().snapshot(call.user(), call.then([](Call& to, const SnapshotPtr& state) {
        std::string list;
        for (const ContextPtr& context : state->contexts)
            if (const auto words = words_of(*context))
                list.append(list.empty() ? "" : ",")
                    .append(json::written(
                        256, [&](json::Writer& out) { write_memory(out, *context, *words); }));
        answer_text(to, others::indented("[" + list + "]"));
    }));
}

// Deletes those memories that `wanted` names; `end` gets how many there were.
void remove(Call& call, std::function<bool(const std::string& key)> wanted,
            void (*end)(Call& call, std::size_t count)) {
    call.node().engine().snapshot(call.user(), call.then([wanted = std::move(wanted), end](
                                                             Call& to, const SnapshotPtr& state) {
        std::vector<Command> commands;
        for (const ContextPtr& context : state->contexts)
            if (words_of(*context) && wanted(context->key))
                commands.push_back(others::command_of(to, DeleteContext{context->key}));
        const std::size_t count = commands.size();
        others::Batch::run(
            to, std::move(commands),
            [](std::size_t, const others::Outcome& outcome) {
                return others::unless(outcome, Errc::not_found);
            },
            [end, count](Call& done) { end(done, count); });
    }));
}

void delete_memories(Call& call) {
    const auto given = others::names_of(call, "memory_ids");
    if (!given) return call.failed(given.error());
    const auto named = [ids = *given](const std::string& key) {
        return std::find(ids.begin(), ids.end(), key.substr(kPrefix.size())) != ids.end();
    };
    remove(call, named, [](Call& to, std::size_t count) {
        if (count == 0)
            return to.failed(
                fail(Errc::not_found, "memory_ids: there are no memories with these ids"));
        answer_text(to, "Successfully deleted " + std::to_string(count) + " memories");
    });
}

void delete_all_memories(Call& call) {
    remove(
        call, [](const std::string&) { return true; },
        [](Call& to, std::size_t) { answer_text(to, "Successfully deleted all memories"); });
}

constexpr std::string_view kTextOut =
    R"({"type":"object","properties":{"result":{"type":"string"}},"required":["result"]})";
constexpr std::string_view kNothingIn = R"({"type":"object","properties":{}})";

constexpr Tool kTools[] = {
    {"add_memories", "Add Memories",
     "Add a new memory. Useful where the user tells something about themselves, their preferences, "
     "or anything that is good to know later, and where the user asks to remember something.",
     R"({"type":"object","properties":{"text":{"type":"string"},"infer":{"type":"boolean"}},)"
     R"("required":["text"]})",
     kTextOut, false, false, true, add_memories},
    {"search_memory", "Search Memory", "Search through the stored memories.",
     R"({"type":"object","properties":{"query":{"type":"string"}},"required":["query"]})", kTextOut,
     true, false, true, search_memory},
    {"list_memories", "List Memories", "List all memories of the user.", kNothingIn, kTextOut, true,
     false, true, list_memories},
    {"delete_memories", "Delete Memories", "Delete memories by their ids.",
     R"({"type":"object","properties":{"memory_ids":{"type":"array","items":{"type":"string"}}},)"
     R"("required":["memory_ids"]})",
     kTextOut, false, true, true, delete_memories},
    {"delete_all_memories", "Delete All Memories", "Delete all memories of the user.", kNothingIn,
     kTextOut, false, true, true, delete_all_memories},
};

}  // namespace

const Registry& openmemory_registry() {
    static const Registry registry{
        .instructions = {}, .tools = kTools, .resources = {}, .prompts = {}};
    return registry;
}

}  // namespace dyad::server::mcp
