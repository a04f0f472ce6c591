// The reads that go page by page, and search.
#include "base/hash64.hpp"
#include "search/match.hpp"
#include "store/sqlite/reads.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace dyad::sqlite {
namespace {

Offset end_of_page(const PageRequest& page) {
    constexpr Offset kNone = static_cast<Offset>(std::numeric_limits<std::int64_t>::max());
    return page.before == 0 ? kNone : std::min(page.before, kNone);
}

bool comes_from(const ResponseRecord& record, const std::string& provider) {
    return record.final.provider == provider ||
           std::any_of(record.sources.begin(), record.sources.end(),
                       [&](const ResponseSource& source) { return source.provider == provider; });
}

bool matches(const ResponseRecord& record, const ResponseFilter& filter) {
    return (!filter.chat_id || record.chat_id == *filter.chat_id) &&
           (!filter.message_id || record.message_id == *filter.message_id) &&
           (!filter.provider || comes_from(record, *filter.provider));
}

std::string scope_of(std::string_view key) {
    return "ctx:" + std::string(key);
}

HistoryItem item_of(Offset offset, std::int64_t timestamp_ms, const ContextChange& change) {
    return {.offset = offset,
            .timestamp_ms = timestamp_ms,
            .action = change.action,
            .context = change.context};
}

}  // namespace

Result<std::vector<HistoryItem>> Reads::history_after(UserLog& log, const std::string& key,
                                                      PageRequest page, std::size_t skip) {
    std::vector<HistoryItem> items;
    if (page.limit == 0) return items;
    const std::uint64_t scope_key = hash64(scope_of(key));
    TRY(visit_unapplied(log, end_of_page(page),
                        [&](Offset offset, const EventEntry& entry, const Change& change) {
                            if (entry.scope_key != scope_key) return true;
                            const auto* context = std::get_if<ContextChange>(&change);
                            if (context == nullptr || context->context->key != key) return true;
                            if (skip > 0)
                                skip -= 1;
                            else
                                items.push_back(item_of(offset, entry.timestamp_ms, *context));
                            return items.size() < page.limit;
                        }));
    if (items.size() < page.limit && log.id != 0) TRY(stored_history(log, key, page, skip, items));
    return items;
}

Status Reads::stored_history(const UserLog& log, const std::string& key, const PageRequest& page,
                             std::size_t skip, std::vector<HistoryItem>& items) {
    const std::string scope = scope_of(key);
    EventBatch batch;  // what was read last of a segment
    using Part = LogTables::Part;
    const Part part = page.limit - items.size() == 1 ? Part::one_event : Part::whole;
    Status problem = Done{};
    const auto take = [&](Offset offset) -> Status {
        if (batch.empty() || offset < batch.first || offset > batch.last()) {
            ASSIGN_OR_RETURN(batch, tables_.log_.segment_with(log.id, offset, part));
        }
        const Result<EventView> event = decode_event(batch.text(offset));
        if (event && event->scope != scope) return Done{};
        ASSIGN_OR_RETURN(const Change change,
                         event ? decode_change(*event) : Result<Change>(event.error()));
        if (const auto* context = std::get_if<ContextChange>(&change))
            items.push_back(item_of(offset, event->timestamp_ms, *context));
        return Done{};
    };
    TRY(tables_.index_.visit(log.id, EventIndex::Kind::scope, hash64(scope), end_of_page(page),
                             skip, [&](Offset offset) {
                                 problem = take(offset);
                                 return problem && items.size() < page.limit;
                             }));
    return problem;
}

Result<std::vector<HistoryItem>> Reads::history(const std::string& user_id, const std::string& key,
                                                PageRequest page) {
    ASSIGN_OR_RETURN(UserLog* const log, tables_.find_log(user_id));
    if (log == nullptr) return std::vector<HistoryItem>();
    return history_after(*log, key, page, 0);
}

Result<ContextPtr> Reads::current(UserLog& log, const std::string& key) {
    ContextPtr context;
    const std::uint64_t scope_key = hash64(scope_of(key));
    TRY(visit_unapplied(log, INT64_MAX, [&](Offset, const EventEntry& entry, const Change& change) {
        if (entry.scope_key != scope_key) return true;
        const auto* changed = std::get_if<ContextChange>(&change);
        if (changed != nullptr && changed->context->key == key) context = changed->context;
        return !context;
    }));
    if (context || log.id == 0) return context;
    Rows rows = db_.query("SELECT json FROM context WHERE user = ? AND key = ?", log.id, key);
    if (rows.next()) {
        ASSIGN_OR_RETURN(Context read, read_context(rows.text(0)));
        context = std::make_shared<const Context>(std::move(read));
    }
    TRY(rows.status());
    return context;
}

Result<ContextPtr> Reads::version(const std::string& user_id, const std::string& key,
                                  Version version) {
    ASSIGN_OR_RETURN(UserLog* const log, tables_.find_log(user_id));
    if (log == nullptr) return fail(Errc::not_found, "this user has no memory yet");
    const Result<ContextPtr> current = this->current(*log, key);
    if (!current || (*current && (*current)->version == version)) return current;
    if (version == 0 || !*current || version > (*current)->version)
        return fail(Errc::not_found,
                    "context " + key + " has no version " + std::to_string(version));
    return past_version(*log, key, **current, version);
}

// A version is mostly one more than the one before it: then the first read finds it. Where it is
// not, there are fewer changes between two than their numbers say; then they are looked through
// from near there, or from the newest on.
Result<ContextPtr> Reads::past_version(UserLog& log, const std::string& key, const Context& current,
                                       Version version) {
    constexpr std::size_t kAtOnce = 8;
    const std::size_t between = current.version - version;
    ASSIGN_OR_RETURN(const std::vector<HistoryItem> there,
                     history_after(log, key, {.before = 0, .limit = 1}, between));
    if (!there.empty() && there.front().context->version == version) return there.front().context;
    PageRequest page{.before = 0, .limit = kAtOnce};
    for (std::size_t skip = between > kAtOnce / 2 ? between - kAtOnce / 2 : 0;;) {
        ASSIGN_OR_RETURN(const std::vector<HistoryItem> items, history_after(log, key, page, skip));
        const auto at = std::find_if(
            items.begin(), items.end(),
            [version](const HistoryItem& item) { return item.context->version <= version; });
        if (at != items.end() && at->context->version == version) return at->context;
        const bool too_far = skip != 0 && (items.empty() || at == items.begin());
        if (!too_far && at != items.end()) break;
        if (!too_far && items.size() < page.limit) {
            if (log.first_kept == 1) break;
            return fail(Errc::history_gone, "the log begins at event " +
                                                std::to_string(log.first_kept) +
                                                "; this version is older");
        }
        page.before = too_far ? 0 : items.back().offset;
        skip = 0;
    }
    return fail(Errc::not_found, "context " + key + " has no version " + std::to_string(version));
}

Result<std::vector<Transition>> Reads::transitions(const std::string& user_id,
                                                   const std::optional<std::string>& instance_id,
                                                   PageRequest page) {
    std::vector<Transition> found;
    ASSIGN_OR_RETURN(UserLog* const known, tables_.find_log(user_id));
    if (known == nullptr || page.limit == 0) return found;
    UserLog& log = *known;
    const Offset before = end_of_page(page);
    TRY(visit_unapplied(log, before, [&](Offset offset, const EventEntry&, const Change& change) {
        const auto* mode = std::get_if<ModeChange>(&change);
        if (mode != nullptr && (!instance_id || mode->state.instance_id == *instance_id))
            found.push_back({offset, mode->state});
        return found.size() < page.limit;
    }));
    Rows rows = db_.query(
        "SELECT offset, json FROM mode_transition WHERE user = ?1 AND offset < ?2 AND "
        "(?3 IS NULL OR instance = ?3) ORDER BY offset DESC LIMIT ?4",
        log.id, before, instance_id ? Value(*instance_id) : Value(nullptr),
        page.limit - found.size());
    while (rows.next()) {
        ASSIGN_OR_RETURN(ModeState state, read_mode(rows.text(1)));
        found.push_back({rows.natural(0), std::move(state)});
    }
    TRY(rows.status());
    return found;
}

Result<std::vector<ResponseRecord>> Reads::responses(const std::string& user_id,
                                                     const ResponseFilter& filter,
                                                     PageRequest page) {
    ASSIGN_OR_RETURN(UserLog* const found, tables_.find_log(user_id));
    if (found == nullptr) return std::vector<ResponseRecord>();
    UserLog& log = *found;
    std::vector<ResponseRecord> records;
    const Offset before = end_of_page(page);
    // What is not applied changes rows that are there, and stands before them.
    ASSIGN_OR_RETURN(Projections::Responses changed,
                     tables_.projections_.changed_responses(log.id, log.unapplied));
    for (const auto& [name, record] : changed)
        if (record.offset < before && matches(record, filter)) records.push_back(record);
    std::sort(records.begin(), records.end(),
              [](const auto& a, const auto& b) { return a.offset > b.offset; });
    if (records.size() > page.limit) records.resize(page.limit);
    // One chat is found by its name; everything else is read in its order.
    Rows rows = filter.chat_id
                    ? db_.query(
                          "SELECT json FROM response WHERE user = ? AND offset < ? AND chat = ? "
                          "ORDER BY offset DESC",
                          log.id, before, *filter.chat_id)
                    : db_.query(
                          "SELECT r.json FROM response r WHERE r.user = ? AND r.offset < ? "
                          "ORDER BY r.offset DESC",
                          log.id, before);
    while (records.size() < page.limit && rows.next()) {
        ASSIGN_OR_RETURN(ResponseRecord record, read_response(rows.text(0)));
        if (matches(record, filter) && !changed.contains({record.chat_id, record.message_id}))
            records.push_back(std::move(record));
    }
    TRY(rows.status());
    return records;
}

// What is applied and not indexed, and what is not applied.
Result<Reads::Contexts> Reads::not_indexed(UserLog& log) {
    Contexts contexts;
    if (log.id != 0) {
        Rows rows = db_.query(
            "SELECT c.key, c.json FROM head h CROSS JOIN context c ON c.user = h.user WHERE h.user "
            "= ? AND h.searchable_to < h.offset AND c.offset > h.searchable_to",
            log.id);
        while (rows.next()) {
            ASSIGN_OR_RETURN(Context context, read_context(rows.text(1)));
            contexts[std::string(rows.text(0))] =
                std::make_shared<const Context>(std::move(context));
        }
        TRY(rows.status());
    }
    std::unordered_set<std::string_view> newest;
    TRY(visit_unapplied(log, INT64_MAX, [&](Offset, const EventEntry&, const Change& change) {
        if (const auto* context = std::get_if<ContextChange>(&change))
            if (newest.insert(context->context->key).second)
                contexts[context->context->key] = context->context;
        return true;
    }));
    return contexts;
}

// What the index does not know yet is searched as it is, where it is not too much.
Result<std::vector<SearchHit>> Reads::search(const std::string& user_id, const std::string& query,
                                             std::size_t limit) {
    constexpr std::size_t kNotIndexedMax = 256;
    ASSIGN_OR_RETURN(const search::Query parsed, search::Query::parse(query));
    ASSIGN_OR_RETURN(UserLog* const found, tables_.find_log(user_id));
    if (found == nullptr) return std::vector<SearchHit>();
    UserLog& log = *found;
    ASSIGN_OR_RETURN(Contexts changed, not_indexed(log));
    // Where nobody writes, the index is brought up at once.
    const bool quiet = !changed.empty() && !tables_.has_unapplied();
    if ((quiet || changed.size() > kNotIndexedMax) && log.id != 0) {
        TRY(tables_.index_texts(log.id));
        ASSIGN_OR_RETURN(changed, not_indexed(log));
    }
    std::vector<SearchHit> hits;
    if (log.id != 0) {
        ASSIGN_OR_RETURN(hits,
                         tables_.search_.find(log.id, parsed, limit, [&](std::string_view key) {
                             return !changed.contains(key);
                         }));
    }
    for (const auto& [key, context] : changed) {
        if (context->deleted) continue;
        const std::string body = search::body_of(*context);
        const search::Counted counted = search::count(parsed, key, body);
        const double score = search::score(parsed, counted.phrases, counted.body_terms);
        if (score > 0) hits.push_back({key, search::snippet(parsed, key, body), score});
    }
    std::sort(hits.begin(), hits.end(), is_better);
    if (hits.size() > limit) hits.resize(limit);
    return hits;
}

}  // namespace dyad::sqlite
