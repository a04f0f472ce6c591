#include "store/sqlite/queries.hpp"

#include "base/hash64.hpp"
#include "model/change.hpp"

#include <algorithm>
#include <limits>

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

}  // namespace

Result<std::vector<HistoryItem>> Queries::history(std::int64_t user, const std::string& key,
                                                  PageRequest page) {
    const std::string scope = "ctx:" + key;
    const std::uint64_t wanted = hash64(scope);
    std::vector<HistoryItem> items;
    EventBatch batch;  // the segment read last
    Status problem = Done{};
    const auto visit = [&](Offset offset, std::uint64_t, std::uint64_t scope_key) {
        if (scope_key != wanted) return true;
        if (items.size() >= page.limit) return false;
        if (batch.empty() || offset < batch.first || offset > batch.last()) {
            Result<EventBatch> read = log_.segment_with(user, offset);
            if (!read) {
                problem = read.error();
                return false;
            }
            batch = *std::move(read);
        }
        const Result<EventView> event = decode_event(batch.text(offset));
        if (event && event->scope != scope) return true;
        const Result<Change> change = event ? decode_change(*event) : Result<Change>(event.error());
        if (!change) {
            problem = change.error();
            return false;
        }
        if (const auto* context = std::get_if<ContextChange>(&*change))
            items.push_back({.offset = offset,
                             .timestamp_ms = event->timestamp_ms,
                             .action = context->action,
                             .context = context->context});
        return items.size() < page.limit;
    };
    if (page.limit == 0) return items;
    const Status done = log_.visit_keys(user, end_of_page(page), visit);
    if (!done) return done.error();
    if (!problem) return problem.error();
    return items;
}

Result<ContextPtr> Queries::version(const StoredHead& log, const std::string& key,
                                    Version version) {
    ContextPtr current;
    {
        Rows rows = db_.query("SELECT json FROM context WHERE user = ? AND key = ?", log.user, key);
        if (rows.next()) {
            Result<Context> context = read_context(rows.text(0));
            if (!context) return context.error();
            current = std::make_shared<const Context>(*std::move(context));
        }
        const Status status = rows.status();
        if (!status) return status.error();
    }
    const auto none = [&] {
        return fail(Errc::not_found,
                    "context " + key + " has no version " + std::to_string(version));
    };
    if (current && current->version == version) return current;
    if (version == 0 || !current || version > current->version) return none();
    PageRequest page{.before = 0, .limit = 32};
    for (;;) {
        const Result<std::vector<HistoryItem>> items = history(log.user, key, page);
        if (!items) return items.error();
        for (const HistoryItem& item : *items) {
            if (item.context->version == version) return item.context;
            if (item.context->version < version) return none();
        }
        if (items->size() < page.limit) break;
        page.before = items->back().offset;
    }
    if (log.first_kept > 1)
        return fail(Errc::history_gone, "the log begins at event " +
                                            std::to_string(log.first_kept) +
                                            "; this version is older");
    return none();
}

Result<std::vector<Transition>> Queries::transitions(std::int64_t user,
                                                     const std::optional<std::string>& instance_id,
                                                     PageRequest page) {
    std::vector<Transition> found;
    Rows rows = db_.query(
        "SELECT offset, json FROM mode_transition WHERE user = ?1 AND offset < ?2 AND "
        "(?3 IS NULL OR instance = ?3) ORDER BY offset DESC LIMIT ?4",
        user, end_of_page(page), instance_id ? Value(*instance_id) : Value(nullptr), page.limit);
    while (rows.next()) {
        Result<ModeState> state = read_mode(rows.text(1));
        if (!state) return state.error();
        found.push_back({rows.natural(0), *std::move(state)});
    }
    const Status status = rows.status();
    if (!status) return status.error();
    return found;
}

Result<std::vector<ResponseRecord>> Queries::responses(std::int64_t user,
                                                       const ResponseFilter& filter,
                                                       PageRequest page) {
    std::vector<ResponseRecord> records;
    const Offset before = end_of_page(page);
    // One chat is found by its name; everything else is read in its order.
    Rows rows = filter.chat_id
                    ? db_.query(
                          "SELECT json FROM response WHERE user = ? AND offset < ? AND chat = ? "
                          "ORDER BY offset DESC",
                          user, before, *filter.chat_id)
                    : db_.query(
                          "SELECT r.json FROM response r WHERE r.user = ? AND r.offset < ? "
                          "ORDER BY r.offset DESC",
                          user, before);
    while (records.size() < page.limit && rows.next()) {
        Result<ResponseRecord> record = read_response(rows.text(0));
        if (!record) return record.error();
        if (matches(*record, filter)) records.push_back(*std::move(record));
    }
    const Status status = rows.status();
    if (!status) return status.error();
    return records;
}

}  // namespace dyad::sqlite
