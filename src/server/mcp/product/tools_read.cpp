// The tools that read what is stored, but for what changed and what to know for a task.
#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "model/identity.hpp"
#include "model/time_text.hpp"
#include "server/mcp/product/arguments.hpp"
#include "server/mcp/product/tools.hpp"
#include "server/mcp/product/value.hpp"

#include <algorithm>
#include <map>

namespace dyad::server::mcp {
namespace {

using core::Freshness;

Error no_value(const std::string& key) {
    return fail(Errc::not_found, "key: nothing is stored under \"" + key +
                                     "\"; memory_list with a prefix, or memory_search, finds keys");
}

// A handler's arguments; where they are not good, the call is answered.
template <class Out, const auto& known>
std::optional<Out> given(Call& call) {
    Result<Out> arguments = read_arguments<Out, known>(call);
    if (arguments) return *std::move(arguments);
    call.failed(arguments.error());
    return std::nullopt;
}

struct OneKey {
    std::string key;
    std::optional<std::int64_t> version;
    std::optional<std::int64_t> before;
    std::optional<std::int64_t> limit;
    bool values = false;
};
constexpr json::MemberOf<OneKey> kGet[] = {{"key", take<&OneKey::key>},
                                           {"version", take<&OneKey::version>}};
constexpr json::MemberOf<OneKey> kHistory[] = {{"key", take<&OneKey::key>},
                                               {"before", take<&OneKey::before>},
                                               {"limit", take<&OneKey::limit>},
                                               {"values", take<&OneKey::values>}};

void answer_value(Call& call, const Context& context) {
    call.result(json::written(context.data.size() + 512,
                              [&](json::Writer& out) { write_value(out, context); }));
}

// What a list is asked for.
struct ListArguments {
    std::optional<std::string> prefix, tag;
    std::optional<ContextType> type;
    std::int64_t updated_since_ms = 0;
    std::optional<std::int64_t> limit;
    std::string cursor;
    bool values = false;

    bool has(const Context& context) const {
        return context.updated_at_ms >= updated_since_ms && (!type || *type == context.type) &&
               (!prefix || context.key.starts_with(*prefix)) &&
               (!tag ||
                std::find(context.tags.begin(), context.tags.end(), *tag) != context.tags.end());
    }
};
constexpr json::MemberOf<ListArguments> kList[] = {
    {"prefix", take<&ListArguments::prefix>},
    {"tag", take<&ListArguments::tag>},
    {"type", take<&ListArguments::type>},
    {"updated_since", take_time<&ListArguments::updated_since_ms>},
    {"values", take<&ListArguments::values>},
    {"limit", take<&ListArguments::limit>},
    {"cursor", take<&ListArguments::cursor>}};

void write_list(Call& call, const core::Snapshot& snapshot, const ListArguments& wanted,
                const std::string& after, std::size_t limit) {
    const auto is_after = [](const std::string& key, const ContextPtr& c) { return key < c->key; };
    auto at = std::upper_bound(snapshot.contexts.begin(), snapshot.contexts.end(), after, is_after);
    const Context* last = nullptr;
    call.result(json::written(4096, [&](json::Writer& out) {
        out.raw("{\"values\":[");
        for (std::size_t count = 0; at != snapshot.contexts.end(); ++at) {
            if (!wanted.has(**at)) continue;
            if (count++ == limit || page_is_full(out)) break;
            if (last != nullptr) out.raw(",");
            write_value(out, **at, wanted.values);
            last = at->get();
        }
        const bool more = at != snapshot.contexts.end();
        out.raw("],\"next_cursor\":");
        more ? out.string(to_hex(as_bytes(last->key))) : out.raw("null");
        out.raw(",\"position\":").string(snapshot.position.to_string()).raw("}");
    }));
}

struct SearchArguments {
    std::string query;
    std::optional<std::int64_t> limit;
};
constexpr json::MemberOf<SearchArguments> kSearch[] = {{"query", take<&SearchArguments::query>},
                                                       {"limit", take<&SearchArguments::limit>}};

// The matches as Markdown has them.
std::string marked(std::string_view snippet) {
    std::string out;
    for (const char c : snippet)
        c == '\x02' || c == '\x03' ? out.append("**") : out.append(1, c);
    return out;
}

const ContextPtr* find(const core::Snapshot& snapshot, std::string_view key) {
    const auto is_before = [](const ContextPtr& c, std::string_view k) { return c->key < k; };
    const auto at =
        std::lower_bound(snapshot.contexts.begin(), snapshot.contexts.end(), key, is_before);
    return at != snapshot.contexts.end() && (*at)->key == key ? &*at : nullptr;
}

void write_hits(Call& call, const std::vector<SearchHit>& hits, const core::Snapshot& snapshot) {
    call.result(json::written(4096, [&](json::Writer& out) {
        out.raw("{\"hits\":[");
        bool first = true;
        for (const SearchHit& hit : hits) {
            const ContextPtr* const context = find(snapshot, hit.key);
            if (context == nullptr) continue;  // deleted meanwhile
            if (!std::exchange(first, false)) out.raw(",");
            out.object([&] {
                write_members(out, **context, false);
                out.members("score", hit.score, "snippet", marked(hit.snippet));
            });
        }
        out.raw("]}");
    }));
}

void write_history(Call& call, const std::vector<HistoryItem>& items, std::size_t limit,
                   bool values) {
    Offset next = items.size() == limit ? items.back().offset : 0;
    call.result(json::written(2048, [&](json::Writer& out) {
        out.raw("{\"versions\":[");
        for (const HistoryItem& item : items) {
            const bool first = &item == items.data();
            if (!first && page_is_full(out)) {
                next = (&item - 1)->offset;
                break;
            }
            if (!first) out.raw(",");
            out.object([&] {
                out.member("action", item.action);
                write_members(out, *item.context, values);
                out.member("offset", item.offset);
            });
        }
        out.raw("],\"next_before\":");
        next == 0 ? out.raw("null") : out.integer(next);
        out.raw("}");
    }));
}

struct OneInstance {
    std::optional<std::string> instance;
};
constexpr json::MemberOf<OneInstance> kInstance[] = {{"instance", take<&OneInstance::instance>}};
struct AgentsArguments {
    bool present = false;  // only who is
};
constexpr json::MemberOf<AgentsArguments> kAgents[] = {
    {"present", take<&AgentsArguments::present>}};

// An instance that takes part, has said a mode, has claimed or written something.
struct Agent {
    const ModeState* mode = nullptr;
    const Presence* presence = nullptr;
    const Context* last_write = nullptr;
    std::vector<const Claim*> claims;
    bool present = false;

    bool is_there() const noexcept { return present || presence != nullptr; }
};

void write_agents(Call& call, const core::Snapshot& snapshot, const std::vector<Presence>& present,
                  bool only_present) {
    std::map<std::string_view, Agent> agents;
    for (const ModeState& mode : snapshot.modes)
        agents[mode.instance_id].mode = &mode;
    for (const Presence& presence : present)
        agents[presence.instance_id].presence = &presence;
    for (const Claim& claim : snapshot.claims)
        agents[claim.instance_id].claims.push_back(&claim);
    Agent& you = agents[call.instance()];
    for (const ContextPtr& context : snapshot.contexts) {
        const Context*& last = agents[context->last_modified_by].last_write;
        if (last == nullptr || last->offset < context->offset) last = context.get();
    }
    // Who asks is there, also where its presence is not known yet.
    you.present = you.mode == nullptr || you.mode->current != Mode::inspired;
    if (only_present) std::erase_if(agents, [](const auto& one) { return !one.second.is_there(); });
    call.result(json::written(2048, [&](json::Writer& out) {
        out.raw("{\"you\":").string(call.instance()).raw(",\"agents\":");
        out.array(agents, [&out](const auto& entry) {
            const auto& [id, agent] = entry;
            out.object([&] {
                out.members("instance", id, "present", agent.is_there());
                if (agent.presence != nullptr)
                    out.members("connections", agent.presence->connections, "connected_at",
                                write_time(agent.presence->connected_at_ms), "last_seen",
                                write_time(agent.presence->last_seen_ms));
                if (agent.mode != nullptr) out.member("mode", agent.mode->current);
                if (!agent.claims.empty())
                    out.member("claims").array(agent.claims, [&out](const Claim* claim) {
                        out.object([&] { write_claim_members(out, *claim); });
                    });
                if (agent.last_write != nullptr)
                    out.member("last_write")
                        .object("key", agent.last_write->key, "version", agent.last_write->version,
                                "written_at", write_time(agent.last_write->updated_at_ms));
            });
        });
        out.raw("}");
    }));
}

struct ResponseArguments {
    ResponseFilter filter;
    std::optional<std::int64_t> before;
    std::optional<std::int64_t> limit;
};
template <auto place>
bool filter_into(json::Field& field, ResponseArguments& out) {
    return field.into(out.filter.*place);
}
constexpr json::MemberOf<ResponseArguments> kResponses[] = {
    {"chat_id", filter_into<&ResponseFilter::chat_id>},
    {"message_id", filter_into<&ResponseFilter::message_id>},
    {"provider", filter_into<&ResponseFilter::provider>},
    {"before", take<&ResponseArguments::before>},
    {"limit", take<&ResponseArguments::limit>}};

void write_source(json::Writer& out, const ResponseSource& source) {
    out.object([&] {
        out.members("source", source.type, "provider", source.provider, "model", source.model,
                    "text_sha256", source.response_hash, "tools_used", source.tools_used);
        if (source.confidence) out.member("confidence", *source.confidence);
        if (source.input_tokens) out.member("input_tokens", *source.input_tokens);
        if (source.output_tokens) out.member("output_tokens", *source.output_tokens);
        if (source.cost_usd) out.member("cost_usd", *source.cost_usd);
    });
}

void write_responses(Call& call, const std::vector<ResponseRecord>& records, std::size_t limit) {
    Offset next = records.size() == limit ? records.back().offset : 0;
    call.result(json::written(2048, [&](json::Writer& out) {
        out.raw("{\"responses\":[");
        for (const ResponseRecord& record : records) {
            const bool first = &record == records.data();
            if (!first && page_is_full(out)) {
                next = (&record - 1)->offset;
                break;
            }
            if (!first) out.raw(",");
            out.object([&] {
                out.members("chat_id", record.chat_id, "message_id", record.message_id, "mode",
                            record.mode);
                write_source(out.member("final"), record.final);
                out.member("sources").array(record.sources, [&out](const ResponseSource& source) {
                    write_source(out, source);
                });
                out.member("provenance")
                    .object("written_by", record.instance_id, "written_at",
                            write_time(record.timestamp_ms));
                out.member("offset", record.offset);
            });
        }
        out.raw("],\"next_before\":");
        next == 0 ? out.raw("null") : out.integer(next);
        out.raw("}");
    }));
}

constexpr std::int64_t kPage = 20;

Result<PageRequest> page_of(std::optional<std::int64_t> before, std::optional<std::int64_t> limit) {
    ASSIGN_OR_RETURN(const std::size_t from, within("before", before, 0, 0, INT64_MAX));
    ASSIGN_OR_RETURN(const std::size_t items,
                     within("limit", limit, kPage, 1, limits::page_items_max));
    return PageRequest{from, items};
}

}  // namespace

void memory_get(Call& call) {
    const auto wanted = given<OneKey, kGet>(call);
    if (!wanted) return;
    if (const Status key = needed("key", wanted->key); !key) return call.failed(key.error());
    if (wanted->version) {
        const auto version = within("version", wanted->version, 0, 1, INT64_MAX);
        if (!version) return call.failed(version.error());
        return call.node().store().read_version(
            call.user(), wanted->key, *version,
            call.then([](Call& to, const ContextPtr& context) { answer_value(to, *context); }));
    }
    call.node().engine().context(
        call.user(), wanted->key,
        call.then([key = wanted->key](Call& to, const ContextPtr& context) {
            if (!context || context->deleted) return to.failed(no_value(key));
            answer_value(to, *context);
        }),
        Freshness::best());
}

void memory_list(Call& call) {
    auto wanted = given<ListArguments, kList>(call);
    if (!wanted) return;
    const auto limit =
        within("limit", wanted->limit, limits::page_items_default, 1, limits::page_items_max);
    if (!limit) return call.failed(limit.error());
    std::string after(wanted->cursor.size() / 2, '\0');
    if (!read_hex(wanted->cursor, {reinterpret_cast<std::uint8_t*>(after.data()), after.size()}))
        return call.failed(
            fail(Errc::invalid_field, "cursor: must be the next_cursor of the page before"));
    call.node().engine().snapshot(call.user(),
                                  call.then([wanted = *std::move(wanted), after = std::move(after),
                                             limit = *limit](Call& to, const SnapshotPtr& state) {
                                      write_list(to, *state, wanted, after, limit);
                                  }),
                                  Freshness::best());
}

void memory_search(Call& call) {
    const auto wanted = given<SearchArguments, kSearch>(call);
    if (!wanted) return;
    if (const Status query = needed("query", wanted->query); !query)
        return call.failed(query.error());
    const auto limit = within("limit", wanted->limit, kPage, 1, limits::page_items_max);
    if (!limit) return call.failed(limit.error());
    call.node().store().search(call.user(), wanted->query, *limit,
                               call.then([](Call& to, const std::vector<SearchHit>& hits) {
                                   to.node().engine().snapshot(
                                       to.user(),
                                       to.then([hits](Call& last, const SnapshotPtr& state) {
                                           write_hits(last, hits, *state);
                                       }),
                                       Freshness::best());
                               }));
}

void memory_history(Call& call) {
    const auto wanted = given<OneKey, kHistory>(call);
    if (!wanted) return;
    if (const Status key = needed("key", wanted->key); !key) return call.failed(key.error());
    const auto page = page_of(wanted->before, wanted->limit);
    if (!page) return call.failed(page.error());
    const auto answer = [wanted = *wanted, limit = page->limit](
                            Call& to, const std::vector<HistoryItem>& items) {
        if (!items.empty() || wanted.before) return write_history(to, items, limit, wanted.values);
        // It may be older than what is kept of the log.
        to.node().engine().context(to.user(), wanted.key,
                                   to.then([key = wanted.key](Call& last, const ContextPtr& found) {
                                       if (found == nullptr) return last.failed(no_value(key));
                                       write_history(last, {}, 1, false);
                                   }));
    };
    call.node().store().history(call.user(), wanted->key, *page, call.then(answer));
}

void mode_get(Call& call) {
    auto wanted = given<OneInstance, kInstance>(call);
    if (!wanted) return;
    std::string whose = wanted->instance.value_or(call.instance());
    const Status named =
        check_name("instance", whose, limits::instance_id_bytes_max, NameRule::identity);
    if (!named) return call.failed(named.error());
    call.node().engine().snapshot(
        call.user(), call.then([whose = std::move(whose)](Call& to, const SnapshotPtr& state) {
            for (const ModeState& mode : state->modes)
                if (mode.instance_id == whose)
                    return to.result(json::written(256, [&](json::Writer& out) {
                        out.object([&] { write_mode_members(out, mode); });
                    }));
            to.result(json::written(64, [&](json::Writer& out) {
                out.object("instance", whose, "mode", std::optional<int>(), "version", 0);
            }));
        }),
        Freshness::best());
}

void agents_list(Call& call) {
    const auto wanted = given<AgentsArguments, kAgents>(call);
    if (!wanted) return;
    call.node().engine().snapshot(
        call.user(), call.then([only = wanted->present](Call& to, const SnapshotPtr& state) {
            to.node().engine().presence(
                to.user(), [call = to.shared_from_this(), state, only](const auto& present) {
                    write_agents(*call, *state, present, only);
                });
        }),
        Freshness::best());
}

void response_query(Call& call) {
    const auto wanted = given<ResponseArguments, kResponses>(call);
    if (!wanted) return;
    const auto page = page_of(wanted->before, wanted->limit);
    if (!page) return call.failed(page.error());
    call.node().store().responses(
        call.user(), wanted->filter, *page,
        call.then([limit = page->limit](Call& to, const std::vector<ResponseRecord>& records) {
            write_responses(to, records, limit);
        }));
}

}  // namespace dyad::server::mcp
