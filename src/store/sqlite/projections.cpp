#include "store/sqlite/projections.hpp"

#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "store/sqlite/whole.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace dyad::sqlite {
namespace {

constexpr std::uint64_t kContexts = 1;
constexpr std::uint64_t kConflicts = 2;
constexpr std::uint64_t kModes = 3;
constexpr const char* kContextOf = "SELECT json FROM context WHERE user = ? AND key = ?";
constexpr const char* kConflictOf = "SELECT json FROM conflict WHERE user = ? AND id = ?";
constexpr const char* kModeOf = "SELECT json FROM mode_state WHERE user = ? AND instance = ?";

std::uint64_t weight(std::uint64_t table, std::string_view key, std::string_view json) {
    return hash64(json, hash64(key, table));
}

}  // namespace

struct Projections::Final {
    struct LastContext {
        const Context* context;
        Offset offset;
    };
    std::map<std::string_view, LastContext> contexts;
    std::map<std::string_view, const Conflict*> conflicts;  // null: closed
    std::map<std::string_view, const ModeState*> modes;     // null: forgotten
    std::vector<std::pair<Offset, const ModeState*>> transitions;
    Responses responses;
    std::optional<std::int64_t> next_expiry;

    void add(Offset offset, const ContextChange& change) {
        const Context& context = *change.context;
        contexts.insert_or_assign(context.key, LastContext{&context, offset});
        for (const std::string& id : change.conflicts_closed)
            conflicts.insert_or_assign(id, nullptr);
        for (const Conflict& conflict : change.conflicts_opened)
            conflicts.insert_or_assign(conflict.id, &conflict);
        if (!context.deleted && context.expires_at_ms)
            next_expiry = std::min(next_expiry.value_or(INT64_MAX), *context.expires_at_ms);
    }
};

Status Projections::collect_response(std::int64_t user, Offset offset, const ResponseRecord& record,
                                     Responses& responses) {
    const auto [at, fresh] = responses.try_emplace({record.chat_id, record.message_id}, record);
    if (!fresh) {
        at->second = merge_responses(at->second, record);
    } else {
        Rows rows =
            db_.query("SELECT json FROM response WHERE user = ? AND chat = ? AND message = ?", user,
                      record.chat_id, record.message_id);
        if (rows.next()) {
            const Result<ResponseRecord> stored = read_response(rows.text(0));
            if (!stored) return stored.error();
            at->second = merge_responses(*stored, record);
        }
        TRY(rows.status());
    }
    at->second.offset = offset;
    return Done{};
}

Status Projections::collect(std::int64_t user, std::span<const Unapplied> batches, Final& final) {
    for (const Unapplied& next : batches) {
        CHECK(next.changes.size() == next.batch->size());
        for (std::size_t i = 0; i < next.changes.size(); ++i) {
            const Offset offset = next.batch->first + i;
            const Change& change = next.changes[i];
            if (const auto* context = std::get_if<ContextChange>(&change)) {
                final.add(offset, *context);
            } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
                for (const std::string& id : mode->forgotten)
                    final.modes.insert_or_assign(id, nullptr);
                final.modes.insert_or_assign(mode->state.instance_id, &mode->state);
                final.transitions.emplace_back(offset, &mode->state);
            } else if (const auto* response = std::get_if<ResponseChange>(&change)) {
                const Status done =
                    collect_response(user, offset, response->record, final.responses);
                if (!done) return done.error();
            }
        }
    }
    return Done{};
}

Result<Projections::Responses> Projections::changed_responses(std::int64_t user,
                                                              std::span<Unapplied> batches) {
    Responses responses;
    for (Unapplied& next : batches) {
        Status done = next.decode();
        for (std::size_t i = 0; done && i < next.changes.size(); ++i)
            if (const auto* response = std::get_if<ResponseChange>(&next.changes[i]))
                done = collect_response(user, next.batch->first + i, response->record, responses);
        if (!done) return done.error();
    }
    return responses;
}

Status Projections::write_contexts(std::int64_t user, const Final& final) {
    for (const auto& [key, last] : final.contexts) {
        json_.clear();
        write_context(json_, *last.context);
        const auto& expiry = last.context->expires_at_ms;
        Status done = take_out(kContextOf, kContexts, user, key);
        if (!done) return done;
        sum_ += weight(kContexts, key, json_);
        done = db_.execute(
            "INSERT OR REPLACE INTO context(user, key, offset, deleted, expires_at, json) "
            "VALUES(?, ?, ?, ?, ?, ?)",
            user, key, last.offset, last.context->deleted ? 1 : 0,
            expiry ? Value(*expiry) : Value(nullptr), json_);
        if (!done) return done.error();
    }
    if (!final.next_expiry) return Done{};
    return db_.execute(
        "UPDATE head SET next_expiry = ?2 WHERE user = ?1 AND "
        "(next_expiry IS NULL OR next_expiry > ?2)",
        user, *final.next_expiry);
}

Status Projections::forget_deletions(std::int64_t user) {
    constexpr std::uint64_t kMost = limits::deleted_contexts_per_user_max;
    const auto count =
        db_.number("SELECT count(*) FROM context WHERE user = ? AND deleted = 1", user);
    if (!count) return count.error();
    const auto deleted = static_cast<std::uint64_t>(*count);
    if (deleted <= kMost) return Done{};
    Offset last = 0;
    Version version = 0;
    {
        // The search index must have seen the deletion first.
        Rows rows = db_.query(
            "SELECT key, offset, json FROM context WHERE user = ?1 AND deleted = 1 AND "
            "offset <= (SELECT searchable_to FROM head WHERE user = ?1) ORDER BY offset LIMIT ?2",
            user, deleted - kMost);
        while (rows.next()) {
            const Result<Context> context = read_context(rows.text(2));
            if (!context) return context.error();
            sum_ -= weight(kContexts, rows.text(0), rows.text(2));
            last = rows.natural(1);
            version = std::max(version, context->version);
        }
        const Status status = rows.status();
        if (!status) return status;
    }
    if (last == 0) return Done{};
    const Status done = db_.execute(
        "DELETE FROM context WHERE user = ? AND deleted = 1 AND offset <= ?", user, last);
    if (!done) return done;
    return db_.execute(
        "INSERT INTO meta(key, value) VALUES('forgotten:' || ?1, ?2) ON CONFLICT(key) DO UPDATE "
        "SET value = max(value, excluded.value)",
        user, version);
}

Status Projections::write_others(std::int64_t user, const Final& final) {
    for (const auto& [id, conflict] : final.conflicts) {
        json_.clear();
        if (conflict != nullptr) write_conflict(json_, *conflict);
        Status done = take_out(kConflictOf, kConflicts, user, id);
        if (!done) return done;
        if (conflict != nullptr) sum_ += weight(kConflicts, id, json_);
        done = conflict == nullptr
                   ? db_.execute("DELETE FROM conflict WHERE user = ? AND id = ?", user, id)
                   : db_.execute("INSERT OR REPLACE INTO conflict(user, id, json) VALUES(?, ?, ?)",
                                 user, id, json_);
        if (!done) return done.error();
    }
    return Done{};
}

Status Projections::write_modes(std::int64_t user, const Final& final) {
    for (const auto& [instance, mode] : final.modes) {
        json_.clear();
        if (mode != nullptr) write_mode(json_, *mode);
        Status done = take_out(kModeOf, kModes, user, instance);
        if (!done) return done;
        if (mode != nullptr) sum_ += weight(kModes, instance, json_);
        done = mode == nullptr
                   ? db_.execute("DELETE FROM mode_state WHERE user = ? AND instance = ?", user,
                                 instance)
                   : db_.execute(
                         "INSERT OR REPLACE INTO mode_state(user, instance, json) VALUES(?, ?, ?)",
                         user, instance, json_);
        if (!done) return done.error();
    }
    for (const auto& [offset, mode] : final.transitions) {
        json_.clear();
        write_mode(json_, *mode);
        TRY(db_.execute(
            "INSERT INTO mode_transition(user, offset, instance, json) VALUES(?, ?, ?, ?)", user,
            offset, mode->instance_id, json_));
    }
    for (const auto& [name, record] : final.responses) {
        json_.clear();
        write_response(json_, record);
        TRY(
            db_.execute("INSERT OR REPLACE INTO response(user, chat, message, offset, json) "
                        "VALUES(?, ?, ?, ?, ?)",
                        user, name.first, name.second, record.offset, json_));
    }
    return Done{};
}

Status Projections::apply(std::int64_t user, std::span<const Unapplied> batches) {
    Final final;
    Status done = collect(user, batches, final);
    const Result<std::uint64_t> sum = done ? state_sum(user) : done.error();
    if (!sum) return sum.error();
    sum_ = *sum;
    done = write_contexts(user, final);
    const bool any_deleted =
        std::any_of(final.contexts.begin(), final.contexts.end(),
                    [](const auto& context) { return context.second.context->deleted; });
    if (done && any_deleted) done = forget_deletions(user);
    if (done) done = write_others(user, final);
    if (done) done = write_modes(user, final);
    if (done && sum_ != *sum)
        done = db_.execute("UPDATE head SET state_sum = ? WHERE user = ?", sum_, user);
    return done;
}

Result<std::uint64_t> Projections::state_sum(std::int64_t user) {
    {
        Rows rows = db_.query("SELECT state_sum FROM head WHERE user = ?", user);
        if (rows.next() && !rows.is_null(0)) return rows.natural(0);
        TRY(rows.status());
    }
    State state;  // a user of before there were sums, or a new one
    TRY(load(user, state));
    return sum_;
}

// What a row that goes or changes weighs is no part of the sum any more.
Status Projections::take_out(const char* select, std::uint64_t table, std::int64_t user,
                             std::string_view key) {
    Rows rows = db_.query(select, user, key);
    if (rows.next()) sum_ -= weight(table, key, rows.text(0));
    return rows.status();
}

Status Projections::load(std::int64_t user, State& state) {
    sum_ = 0;
    const auto forgotten =
        db_.number("SELECT coalesce(max(value), 0) FROM meta WHERE key = 'forgotten:' || ?", user);
    if (!forgotten) return forgotten.error();
    state.forgotten_version = static_cast<Version>(*forgotten);
    Rows contexts = db_.query("SELECT json FROM context WHERE user = ? ORDER BY key", user);
    while (contexts.next()) {
        Result<Context> context = read_context(contexts.text(0));
        if (!context) return context.error();
        sum_ += weight(kContexts, context->key, contexts.text(0));
        fold(state, ContextChange{.context = std::make_shared<const Context>(*std::move(context)),
                                  .conflicts_opened = {},
                                  .conflicts_closed = {}});
    }
    Status status = contexts.status();
    if (!status) return status;

    Rows conflicts = db_.query("SELECT json FROM conflict WHERE user = ?", user);
    while (conflicts.next()) {
        Result<Conflict> conflict = read_conflict(conflicts.text(0));
        if (!conflict) return conflict.error();
        std::string id = conflict->id;
        sum_ += weight(kConflicts, id, conflicts.text(0));
        state.conflicts.insert_or_assign(std::move(id), *std::move(conflict));
    }
    status = conflicts.status();
    if (!status) return status;

    Rows modes = db_.query("SELECT json FROM mode_state WHERE user = ?", user);
    while (modes.next()) {
        Result<ModeState> mode = read_mode(modes.text(0));
        if (!mode) return mode.error();
        sum_ += weight(kModes, mode->instance_id, modes.text(0));
        fold(state, ModeChange{*std::move(mode)});
    }
    status = modes.status();
    if (!status) return status;

    Rows head = db_.query("SELECT state_sum FROM head WHERE user = ?", user);
    const bool known = head.next() && !head.is_null(0);
    if (known && head.natural(0) != sum_)
        return fail(Errc::storage_damaged, db_.path() + ": the state of user number " +
                                               std::to_string(user) +
                                               " is not what was written last: a write of the "
                                               "disk was lost; " +
                                               kDamageAdvice);
    return head.status();
}

// head.next_expiry is a lower bound, as contexts are written again and deleted: here it becomes
// exact.
Result<bool> Projections::has_expired(std::int64_t user, std::int64_t now_ms) {
    std::optional<std::int64_t> exact;
    {
        Rows rows =
            db_.query("SELECT min(expires_at) FROM context WHERE user = ? AND deleted = 0", user);
        if (rows.next() && !rows.is_null(0)) exact = rows.integer(0);
        TRY(rows.status());
    }
    if (exact && *exact <= now_ms) return true;
    TRY(db_.execute("UPDATE head SET next_expiry = ? WHERE user = ?",
                    exact ? Value(*exact) : Value(nullptr), user));
    return false;
}

Result<std::vector<std::string>> Projections::users_who_may_have_expired(std::int64_t now_ms,
                                                                         std::size_t limit) {
    std::vector<std::string> users;
    Rows rows = db_.query(
        "SELECT u.name FROM head h JOIN users u ON u.id = h.user "
        "WHERE h.next_expiry <= ? ORDER BY h.next_expiry LIMIT ?",
        now_ms, limit);
    while (rows.next())
        users.emplace_back(rows.text(0));
    TRY(rows.status());
    return users;
}

Status Projections::drop_tombstones(std::int64_t user, Offset first_kept) {
    const Result<std::uint64_t> sum = state_sum(user);
    if (!sum) return sum.error();
    sum_ = *sum;
    {
        Rows rows = db_.query(
            "SELECT key, json FROM context WHERE user = ?1 AND deleted = 1 AND offset < ?2 AND "
            "offset <= (SELECT searchable_to FROM head WHERE user = ?1)",
            user, first_kept);
        while (rows.next())
            sum_ -= weight(kContexts, rows.text(0), rows.text(1));
        TRY(rows.status());
    }
    if (sum_ == *sum) return Done{};
    // The search index must have seen the deletion first.
    TRY(
        db_.execute("DELETE FROM context WHERE user = ?1 AND deleted = 1 AND offset < ?2 AND "
                    "offset <= (SELECT searchable_to FROM head WHERE user = ?1)",
                    user, first_kept));
    return db_.execute("UPDATE head SET state_sum = ? WHERE user = ?", sum_, user);
}

}  // namespace dyad::sqlite
