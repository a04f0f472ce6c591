#include "sim_store/sim_queries.hpp"

#include "search/match.hpp"

#include <algorithm>

namespace dyad::sim::queries {
namespace {

void spoil(const SimDatabase& database, State& state) {
    for (auto at = state.contexts.begin(); at != state.contexts.end();) {
        auto context = std::make_shared<Context>(*at->second);
        const bool over = context->expires_at_ms && *context->expires_at_ms <= database.now_ms;
        if (database.flaws.drops_expired && !context->deleted && over) {
            state.live_contexts -= 1;
            state.live_bytes -= context->data.size();
            state.expiries.erase({*context->expires_at_ms, context->key});
            at = state.contexts.erase(at);
            continue;
        }
        if (database.flaws.reuses_versions && context->version > 1) context->version -= 1;
        at->second = std::move(context);
        ++at;
    }
}

void spoil_claims(const SimDatabase& database, const UserRecord& record, State& state) {
    const SimDatabase::Flaws& flaws = database.flaws;
    if (flaws.forgets_claims) {
        state.claims.clear();
        state.claim_ends.clear();
    }
    for (Offset offset = 1; offset <= database.readable(record); ++offset) {
        const auto* change = std::get_if<ClaimChange>(&record.events[offset - 1].change);
        if (change == nullptr) continue;
        const auto held = state.claims.find(change->claim.resource);
        const bool granted = change->action == ClaimAction::granted && held != state.claims.end() &&
                             held->second.token == offset;
        if (flaws.forgets_renewals && granted) fold(state, ClaimChange{change->claim});
        if (flaws.revives_claims && !change->is_held() && held == state.claims.end())
            fold(state, ClaimChange{change->claim});
    }
}

// The durable state: the projections and the log beyond them.
State state_of(const SimDatabase& database, const UserRecord& record) {
    State state = record.state;
    for (Offset offset = record.projected; offset < database.readable(record); ++offset)
        fold(state, record.events[offset].change);
    if (database.flaws.drops_expired || database.flaws.reuses_versions) spoil(database, state);
    spoil_claims(database, record, state);
    return state;
}

bool before_page(Offset offset, const PageRequest& page) {
    return page.before == 0 || offset < page.before;
}

}  // namespace

LoadedLog load(const SimDatabase& database, const std::string& user_id, std::uint64_t node_seed) {
    LoadedLog loaded;
    loaded.head = database.head(user_id, node_seed);
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return loaded;
    loaded.first_kept = record->first_kept;
    loaded.state = state_of(database, *record);
    if (database.flaws.forgets_timestamps) loaded.head.timestamp_ms = 0;
    return loaded;
}

Result<LogSlice> read(const SimDatabase& database, const std::string& user_id, Offset after,
                      std::size_t bytes_max, std::uint64_t node_seed) {
    LogSlice slice;
    slice.head = database.head(user_id, node_seed);
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return slice;
    const Offset end = slice.head.offset;
    slice.first_kept = record->first_kept;
    if (after + 1 < record->first_kept)
        return fail(Errc::history_gone,
                    "the log begins at offset " + std::to_string(record->first_kept));
    std::size_t bytes = 0;
    Offset next = after + 1;
    while (next <= end && (bytes == 0 || bytes < bytes_max)) {
        const StoredEvent& from = record->events[next - 1];
        Offset last = next;
        while (last < end && record->events[last].batch == from.batch &&
               record->events[last].offset == record->events[last - 1].offset + 1)
            ++last;
        slice.batches.push_back(
            slice_batch(from.batch, from.offset, record->events[last - 1].offset));
        bytes += slice.batches.back()->texts.size();
        next = last + 1;
    }
    return slice;
}

std::optional<Offset> find(const SimDatabase& database, const std::string& user_id,
                           const OperationId& operation) {
    if (database.flaws.finds_nothing) return std::nullopt;
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return std::nullopt;
    const std::optional<Offset> at =
        database.offset_of(user_id, operation_key(operation.instance_id, operation.operation_id));
    if (database.flaws.finds_kept_only && at == Offset{0}) return std::nullopt;
    return at && *at > database.readable(*record) ? std::nullopt : at;
}

std::vector<HistoryItem> history(const SimDatabase& database, const std::string& user_id,
                                 const std::string& key, PageRequest page) {
    std::vector<HistoryItem> items;
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return items;
    for (Offset offset = database.readable(*record);
         offset >= record->first_kept && items.size() < page.limit; --offset) {
        const StoredEvent& event = record->events[offset - 1];
        const auto* change = std::get_if<ContextChange>(&event.change);
        if (change == nullptr || change->context->key != key || !before_page(offset, page))
            continue;
        items.push_back({.offset = offset,
                         .timestamp_ms = event.entry().timestamp_ms,
                         .action = change->action,
                         .context = change->context});
    }
    return items;
}

Result<ContextPtr> read_version(const SimDatabase& database, const std::string& user_id,
                                const std::string& key, Version version) {
    const UserRecord* record = database.find(user_id);
    const auto missing = [&] {
        return fail(Errc::not_found,
                    "version: the context never had version " + std::to_string(version));
    };
    if (record == nullptr) return missing();
    const State state = state_of(database, *record);
    const ContextPtr current = state.find(key);
    if (!current || version == 0 || version > current->version) return missing();
    if (current->version == version) return current;
    bool older_is_kept = false;
    for (Offset offset = database.readable(*record); offset >= record->first_kept; --offset) {
        const auto* change = std::get_if<ContextChange>(&record->events[offset - 1].change);
        if (change == nullptr || change->context->key != key) continue;
        if (change->context->version == version) return change->context;
        older_is_kept = older_is_kept || change->context->version < version;
    }
    if (older_is_kept || record->first_kept == 1) return missing();
    return fail(Errc::history_gone, "version: the log no longer keeps this version");
}

std::vector<Transition> transitions(const SimDatabase& database, const std::string& user_id,
                                    const std::optional<std::string>& instance_id,
                                    PageRequest page) {
    std::vector<Transition> found;
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return found;
    const auto take = [&](Offset offset, const ModeState& state) {
        if (found.size() < page.limit && before_page(offset, page) &&
            (!instance_id || state.instance_id == *instance_id))
            found.push_back({offset, state});
    };
    for (Offset offset = database.readable(*record); offset > record->projected; --offset)
        if (const auto* mode = std::get_if<ModeChange>(&record->events[offset - 1].change))
            take(offset, mode->state);
    for (auto at = record->transitions.rbegin(); at != record->transitions.rend(); ++at)
        take(at->first, at->second);
    return found;
}

std::vector<ResponseRecord> responses(const SimDatabase& database, const std::string& user_id,
                                      const ResponseFilter& filter, PageRequest page) {
    std::vector<ResponseRecord> found;
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return found;
    UserRecord projected = *record;
    database.project(projected, projected.events.size());
    const auto provider_is = [&](const ResponseRecord& response, const std::string& provider) {
        return response.final.provider == provider ||
               std::any_of(response.sources.begin(), response.sources.end(),
                           [&](const ResponseSource& s) { return s.provider == provider; });
    };
    for (const auto& [id, response] : projected.responses) {
        if (filter.chat_id && response.chat_id != *filter.chat_id) continue;
        if (filter.message_id && response.message_id != *filter.message_id) continue;
        if (filter.provider && !provider_is(response, *filter.provider)) continue;
        if (before_page(response.offset, page)) found.push_back(response);
    }
    std::sort(found.begin(), found.end(),
              [](const ResponseRecord& a, const ResponseRecord& b) { return a.offset > b.offset; });
    if (found.size() > page.limit) found.resize(page.limit);
    return found;
}

Result<std::vector<SearchHit>> search(const SimDatabase& database, const std::string& user_id,
                                      const std::string& query, std::size_t limit) {
    const Result<search::Query> parsed = search::Query::parse(query);
    if (!parsed) return parsed.error();
    std::vector<SearchHit> hits;
    const UserRecord* record = database.find(user_id);
    if (record == nullptr) return hits;
    for (const auto& [key, context] : state_of(database, *record).contexts) {
        if (context->deleted) continue;
        const std::string body = search::body_of(*context);
        const search::Counted counted = search::count(*parsed, key, body);
        const double score = search::score(*parsed, counted.phrases, counted.body_terms);
        if (score > 0) hits.push_back({key, search::snippet(*parsed, key, body), score});
    }
    std::sort(hits.begin(), hits.end(), is_better);
    if (hits.size() > limit) hits.resize(limit);
    return hits;
}

std::vector<std::string> users_with_expired(SimDatabase& database, std::int64_t now_ms,
                                            std::size_t limit) {
    std::vector<std::string> found;
    for (auto& [user_id, record] : database.users()) {
        database.project(record, record.events.size());
        const auto is_due = [now_ms](const auto& ends) {
            return !ends.empty() && ends.begin()->first <= now_ms;
        };
        if (found.size() < limit &&
            (is_due(record.state.expiries) || is_due(record.state.claim_ends)))
            found.push_back(user_id);
    }
    return found;
}

}  // namespace dyad::sim::queries
