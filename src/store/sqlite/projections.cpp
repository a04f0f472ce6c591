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

// A table whose rows are part of the state, a document each.
struct Table {
    std::uint64_t number;
    const char* select;
    const char* remove;
    const char* insert;
};
constexpr Table kContexts{1, "SELECT json FROM context WHERE user = ? AND key = ?", nullptr,
                          "INSERT OR REPLACE INTO context(user, key, json, offset, deleted, "
                          "expires_at) VALUES(?, ?, ?, ?, ?, ?)"};
constexpr Table kConflicts{2, "SELECT json FROM conflict WHERE user = ? AND id = ?",
                           "DELETE FROM conflict WHERE user = ? AND id = ?",
                           "INSERT OR REPLACE INTO conflict(user, id, json) VALUES(?, ?, ?)"};
constexpr Table kModes{3, "SELECT json FROM mode_state WHERE user = ? AND instance = ?",
                       "DELETE FROM mode_state WHERE user = ? AND instance = ?",
                       "INSERT OR REPLACE INTO mode_state(user, instance, json) VALUES(?, ?, ?)"};
constexpr Table kClaims{4, "SELECT json FROM claim WHERE user = ? AND resource = ?",
                        "DELETE FROM claim WHERE user = ? AND resource = ?",
                        "INSERT OR REPLACE INTO claim(user, resource, json, offset, expires_at) "
                        "VALUES(?, ?, ?, ?, ?)"};

std::uint64_t weight(const Table& table, std::string_view key, std::string_view json) {
    return hash64(json, hash64(key, table.number));
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
    struct LastClaim {
        const Claim* claim;  // null: over
        Offset offset;
    };
    std::map<std::string_view, LastClaim> claims;
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
    void add(Offset offset, const ClaimChange& change) {
        const Claim& claim = change.claim;
        claims.insert_or_assign(claim.resource,
                                LastClaim{change.is_held() ? &claim : nullptr, offset});
        if (change.is_held())
            next_expiry = std::min(next_expiry.value_or(INT64_MAX), claim.expires_at_ms);
    }
};

Status Projections::collect_response(std::int64_t user, Offset offset, const ResponseRecord& record,
                                     Responses& responses) {
    const auto [at, fresh] = responses.try_emplace({record.chat_id, record.message_id}, record);
    if (!fresh) {
        at->second = merge_responses(at->second, record);
    } else {
        ASSIGN_OR_RETURN(
            const auto json,
            db_.text("SELECT json FROM response WHERE user = ? AND chat = ? AND message = ?", user,
                     record.chat_id, record.message_id));
        if (json) {
            ASSIGN_OR_RETURN(auto&& stored, read_response(*json));
            at->second = merge_responses(stored, record);
        }
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
                TRY(collect_response(user, offset, response->record, final.responses));
            } else if (const auto* claim = std::get_if<ClaimChange>(&change)) {
                final.add(offset, *claim);
            }
        }
    }
    return Done{};
}

Result<Projections::Responses> Projections::changed_responses(std::int64_t user,
                                                              std::span<Unapplied> batches) {
    Responses responses;
    for (Unapplied& next : batches) {
        TRY(next.decode());
        for (std::size_t i = 0; i < next.changes.size(); ++i)
            if (const auto* response = std::get_if<ResponseChange>(&next.changes[i]))
                TRY(collect_response(user, next.batch->first + i, response->record, responses));
    }
    return responses;
}

template <class... Columns>
Status Projections::put(const auto& table, std::int64_t user, std::string_view key,
                        const Columns&... columns) {
    {
        Rows rows = db_.query(table.select, user, key);
        if (rows.next()) sum_ -= weight(table, key, rows.text(0));
        TRY(rows.status());
    }
    if (json_.empty()) return db_.execute(table.remove, user, key);
    sum_ += weight(table, key, json_);
    return db_.execute(table.insert, user, key, json_, columns...);
}

Status Projections::write_contexts(std::int64_t user, const Final& final) {
    for (const auto& [key, last] : final.contexts) {
        json_.clear();
        write_context(json_, *last.context);
        TRY(put(kContexts, user, key, last.offset, last.context->deleted ? 1 : 0,
                last.context->expires_at_ms));
    }
    return Done{};
}

Status Projections::write_claims(std::int64_t user, const Final& final) {
    for (const auto& [resource, last] : final.claims) {
        json_.clear();
        if (last.claim != nullptr) write_claim(json_, *last.claim);
        TRY(put(kClaims, user, resource, last.offset,
                last.claim == nullptr ? 0 : last.claim->expires_at_ms));
    }
    if (!final.next_expiry) return Done{};
    return db_.execute(
        "UPDATE head SET next_expiry = ?2 WHERE user = ?1 AND "
        "(next_expiry IS NULL OR next_expiry > ?2)",
        user, *final.next_expiry);
}

Status Projections::forget_deletions(std::int64_t user) {
    constexpr std::uint64_t kMost = limits::deleted_contexts_per_user_max;
    ASSIGN_OR_RETURN(
        const auto count,
        db_.number("SELECT count(*) FROM context WHERE user = ? AND deleted = 1", user));
    const auto deleted = static_cast<std::uint64_t>(count);
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
            ASSIGN_OR_RETURN(const Context context, read_context(rows.text(2)));
            sum_ -= weight(kContexts, rows.text(0), rows.text(2));
            last = rows.natural(1);
            version = std::max(version, context.version);
        }
        TRY(rows.status());
    }
    if (last == 0) return Done{};
    TRY(db_.execute("DELETE FROM context WHERE user = ? AND deleted = 1 AND offset <= ?", user,
                    last));
    return db_.execute(
        "INSERT INTO meta(key, value) VALUES('forgotten:' || ?1, ?2) ON CONFLICT(key) DO UPDATE "
        "SET value = max(value, excluded.value)",
        user, version);
}

Status Projections::write_others(std::int64_t user, const Final& final) {
    for (const auto& [id, conflict] : final.conflicts) {
        json_.clear();
        if (conflict != nullptr) write_conflict(json_, *conflict);
        TRY(put(kConflicts, user, id));
    }
    for (const auto& [instance, mode] : final.modes) {
        json_.clear();
        if (mode != nullptr) write_mode(json_, *mode);
        TRY(put(kModes, user, instance));
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
    TRY(collect(user, batches, final));
    ASSIGN_OR_RETURN(sum_, state_sum(user));
    const std::uint64_t before = sum_;
    TRY(write_contexts(user, final));
    TRY(write_claims(user, final));
    const bool any_deleted =
        std::any_of(final.contexts.begin(), final.contexts.end(),
                    [](const auto& context) { return context.second.context->deleted; });
    if (any_deleted) TRY(forget_deletions(user));
    TRY(write_others(user, final));
    if (sum_ == before) return Done{};
    return db_.execute("UPDATE head SET state_sum = ? WHERE user = ?", sum_, user);
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

Status Projections::load(std::int64_t user, State& state) {
    sum_ = 0;
    ASSIGN_OR_RETURN(const auto forgotten,
                     db_.number("SELECT value FROM meta WHERE key = 'forgotten:' || ?", user));
    state.forgotten_version = static_cast<Version>(forgotten);
    Rows contexts = db_.query("SELECT json FROM context WHERE user = ? ORDER BY key", user);
    while (contexts.next()) {
        ASSIGN_OR_RETURN(Context context, read_context(contexts.text(0)));
        sum_ += weight(kContexts, context.key, contexts.text(0));
        fold(state, ContextChange{.context = std::make_shared<const Context>(std::move(context)),
                                  .conflicts_opened = {},
                                  .conflicts_closed = {}});
    }
    TRY(contexts.status());

    Rows conflicts = db_.query("SELECT json FROM conflict WHERE user = ?", user);
    while (conflicts.next()) {
        ASSIGN_OR_RETURN(Conflict conflict, read_conflict(conflicts.text(0)));
        sum_ += weight(kConflicts, conflict.id, conflicts.text(0));
        std::string id = conflict.id;
        state.conflicts.insert_or_assign(std::move(id), std::move(conflict));
    }
    TRY(conflicts.status());

    Rows modes = db_.query("SELECT json FROM mode_state WHERE user = ?", user);
    while (modes.next()) {
        ASSIGN_OR_RETURN(ModeState mode, read_mode(modes.text(0)));
        sum_ += weight(kModes, mode.instance_id, modes.text(0));
        fold(state, ModeChange{std::move(mode)});
    }
    TRY(modes.status());

    Rows claims = db_.query("SELECT json FROM claim WHERE user = ?", user);
    while (claims.next()) {
        ASSIGN_OR_RETURN(Claim claim, read_claim(claims.text(0)));
        sum_ += weight(kClaims, claim.resource, claims.text(0));
        fold(state, ClaimChange{std::move(claim)});
    }
    TRY(claims.status());

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

Status Projections::take_rows(std::int64_t user, Offset first_kept) {
    return db_.execute(
        "UPDATE head SET first_kept = ?2, state_sum = NULL, next_expiry = (SELECT min(expires_at) "
        "FROM (SELECT expires_at FROM context WHERE user = ?1 AND deleted = 0 UNION ALL "
        "SELECT expires_at FROM claim WHERE user = ?1)) WHERE user = ?1",
        user, first_kept);
}

// head.next_expiry is a lower bound, as contexts are written again and deleted: here it becomes
// exact.
Result<bool> Projections::has_expired(std::int64_t user, std::int64_t now_ms) {
    constexpr std::int64_t kNever = INT64_MAX;
    ASSIGN_OR_RETURN(const std::int64_t exact,
                     db_.number("SELECT min(coalesce((SELECT min(expires_at) FROM context WHERE "
                                "user = ?1 AND deleted = 0), ?2), coalesce((SELECT "
                                "min(expires_at) FROM claim WHERE user = ?1), ?2))",
                                user, kNever));
    if (exact <= now_ms) return true;
    TRY(db_.execute("UPDATE head SET next_expiry = nullif(?2, ?3) WHERE user = ?1", user, exact,
                    kNever));
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
    ASSIGN_OR_RETURN(sum_, state_sum(user));
    const std::uint64_t before = sum_;
    {
        Rows rows = db_.query(
            "SELECT key, json FROM context WHERE user = ?1 AND deleted = 1 AND offset < ?2 AND "
            "offset <= (SELECT searchable_to FROM head WHERE user = ?1)",
            user, first_kept);
        while (rows.next())
            sum_ -= weight(kContexts, rows.text(0), rows.text(1));
        TRY(rows.status());
    }
    if (sum_ == before) return Done{};
    // The search index must have seen the deletion first.
    TRY(
        db_.execute("DELETE FROM context WHERE user = ?1 AND deleted = 1 AND offset < ?2 AND "
                    "offset <= (SELECT searchable_to FROM head WHERE user = ?1)",
                    user, first_kept));
    return db_.execute("UPDATE head SET state_sum = ? WHERE user = ?", sum_, user);
}

}  // namespace dyad::sqlite
