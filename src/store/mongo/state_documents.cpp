#include "store/mongo/state_documents.hpp"

#include "base/limits.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "store/mongo/user_logs.hpp"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace dyad::mongo {
namespace {

constexpr std::size_t kBytes = 4 << 20;  // of events that are projected together
constexpr std::size_t kUpdatesMax = 500;

// The documents to write: of each name the last one.
struct Final {
    struct LastContext {
        ContextPtr context;
        Offset offset;
    };
    struct LastMode {
        std::optional<ModeState> state;  // none: forgotten
        Offset offset;
    };
    struct LastConflict {
        std::optional<Conflict> conflict;  // none: closed
        Offset offset;
    };
    std::map<std::string, LastContext> contexts;
    std::map<std::string, LastMode> modes;
    struct LastClaim {
        std::optional<Claim> claim;  // none: over
        Offset offset;
    };
    std::map<std::string, LastConflict> conflicts;
    std::map<std::string, LastClaim> claims;
    std::vector<std::pair<Offset, ModeState>> transitions;
    std::vector<std::pair<Offset, ResponseRecord>> responses;
    bool any_deleted = false;

    void add(Offset offset, const Change& change) {
        if (const auto* context = std::get_if<ContextChange>(&change)) {
            contexts.insert_or_assign(context->context->key, LastContext{context->context, offset});
            any_deleted = any_deleted || context->context->deleted;
            for (const std::string& id : context->conflicts_closed)
                conflicts.insert_or_assign(id, LastConflict{std::nullopt, offset});
            for (const Conflict& conflict : context->conflicts_opened)
                conflicts.insert_or_assign(conflict.id, LastConflict{conflict, offset});
        } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
            for (const std::string& id : mode->forgotten)
                modes.insert_or_assign(id, LastMode{std::nullopt, offset});
            modes.insert_or_assign(mode->state.instance_id, LastMode{mode->state, offset});
            transitions.emplace_back(offset, mode->state);
        } else if (const auto* response = std::get_if<ResponseChange>(&change)) {
            responses.emplace_back(offset, response->record);
        } else if (const auto* claim = std::get_if<ClaimChange>(&change)) {
            claims.insert_or_assign(claim->claim.resource, LastClaim{claim->held(), offset});
        }
    }
};

// Replaces the document of `name` by one of a later event; where the stored one is as late, its id
// refuses the insert.
Update state_update(const std::string& user_id, std::string_view kind, const std::string& name,
                    Offset offset, std::string_view text, const StateDates& dates = {}) {
    return {.filter = Bson()
                          .text("_id", state_id(user_id, kind, name))
                          .sub("offset", Bson().number("$lt", signed_bits(offset))),
            .change = state_document({}, user_id, kind, name, offset, text, dates),
            .upsert = true};
}

// Every failure but that of a document that is as late already.
Status check(const Written& written) {
    for (const Written::Failure& failure : written.failures)
        if (failure.code != kDuplicateKey) return fail(Errc::internal, "MongoDB: " + failure.text);
    return Done{};
}

Status update_all(Client& client, std::string_view collection, std::vector<Update>& updates) {
    for (std::size_t i = 0; i < updates.size(); i += kUpdatesMax) {
        const auto some = std::span(updates).subspan(i, std::min(kUpdatesMax, updates.size() - i));
        ASSIGN_OR_RETURN(const Written written, client.update(collection, some));
        TRY(check(written));
    }
    return Done{};
}

Status write_state(Client& client, const std::string& user_id, const Final& final) {
    std::vector<Update> updates;
    std::string text;
    for (const auto& [key, last] : final.contexts) {
        text.clear();
        write_context(text, *last.context);
        updates.push_back(
            state_update(user_id, "context", key, last.offset, text, dates_of(*last.context)));
    }
    for (const auto& [id, last] : final.conflicts) {
        text.clear();
        if (last.conflict) write_conflict(text, *last.conflict);
        updates.push_back(state_update(user_id, "conflict", id, last.offset, text));
    }
    for (const auto& [instance, last] : final.modes) {
        text.clear();
        if (last.state) write_mode(text, *last.state);
        updates.push_back(state_update(user_id, "mode", instance, last.offset, text));
    }
    for (const auto& [resource, last] : final.claims) {
        text.clear();
        StateDates dates;
        if (last.claim) {
            write_claim(text, *last.claim);
            dates.expires_at_ms = last.claim->expires_at_ms;
        }
        updates.push_back(state_update(user_id, "claim", resource, last.offset, text, dates));
    }
    return update_all(client, kState, updates);
}

Status write_modes(Client& client, const std::string& user_id, const Final& final) {
    std::vector<Update> transitions;
    for (const auto& [offset, state] : final.transitions) {
        ASSIGN_OR_RETURN(const Bson document, transition_document(user_id, offset, state));
        transitions.push_back(
            {.filter = Bson().text("userId", user_id).number("dyad.offset", signed_bits(offset)),
             .change = document,
             .upsert = true});
    }
    TRY(update_all(client, kTransitions, transitions));
    std::vector<Update> modes;
    for (const auto& [instance, last] : final.modes) {
        if (!last.state) continue;
        const Bson older =
            Bson().sub("dyad.offset", Bson().number("$lt", signed_bits(last.offset)));
        const Bson others = Bson().sub("dyad", Bson().flag("$exists", false));
        ASSIGN_OR_RETURN(const Bson document, mode_document(user_id, last.offset, *last.state));
        modes.push_back({.filter = Bson()
                                       .text("userId", user_id)
                                       .text("instanceId", instance)
                                       .array("$or", Bson().sub("0", older).sub("1", others)),
                         .change = document,
                         .upsert = true});
    }
    return update_all(client, kModes, modes);
}

// A record is the sum of the events of its message: each is added to what is stored, in their
// order, by whoever comes first.
Status write_response(Client& client, const std::string& user_id, Offset offset,
                      const ResponseRecord& addition) {
    constexpr int kTries = 8;
    for (int tries = 0; tries < kTries; ++tries) {
        Bson filter;
        filter.text("userId", user_id)
            .text("chatId", addition.chat_id)
            .text("messageId", addition.message_id);
        ASSIGN_OR_RETURN(const auto found, client.find_one(kResponses, filter));
        ResponseRecord record = addition;
        if (found) {
            const auto stored_at = found->view().number("dyad.offset");
            if (stored_at && static_cast<Offset>(*stored_at) >= offset) return Done{};
            if (const auto text = found->view().text("dyad.text")) {
                ASSIGN_OR_RETURN(const ResponseRecord stored, read_response(*text));
                record = merge_responses(stored, addition);
            }
            if (stored_at)
                filter.number("dyad.offset", *stored_at);
            else
                filter.sub("dyad", Bson().flag("$exists", false));
        }
        record.offset = offset;
        ASSIGN_OR_RETURN(Bson document, response_document(user_id, record));
        const Update update{
            .filter = std::move(filter), .change = std::move(document), .upsert = !found};
        ASSIGN_OR_RETURN(const Written written, client.update(kResponses, {&update, 1}));
        if (written.failures.empty() && written.count == 1) return Done{};
        TRY(check(written));
    }
    return fail(Errc::storage_unavailable, "a response changes faster than it can be written");
}

// Of too many deleted contexts those that went first go, as State has it.
Status forget_deletions(Client& client, const std::string& user_id) {
    constexpr std::int64_t kMost = limits::deleted_contexts_per_user_max;
    Bson deleted;
    deleted.text("userId", user_id).text("kind", "context").flag("deleted", true);
    ASSIGN_OR_RETURN(const Bson counted,
                     client.run(Bson().text("count", kState).sub("query", deleted)));
    const std::int64_t count = counted.view().number("n").value_or(0);
    if (count <= kMost) return Done{};
    ASSIGN_OR_RETURN(
        const auto first,
        client.find(kState, deleted, {.sort = Bson().number("offset", 1), .limit = count - kMost}));
    Version forgotten = 0;
    std::int64_t last = 0;
    for (const Bson& one : first) {
        ASSIGN_OR_RETURN(const Context context, read_context(one.view().text("text").value_or("")));
        forgotten = std::max(forgotten, context.version);
        last = std::max(last, one.view().number("offset").value_or(0));
    }
    const Bson most = Bson().number("forgotten", signed_bits(forgotten));
    const Update head{
        .filter = Bson().text("_id", user_id), .change = Bson().sub("$max", most), .upsert = true};
    ASSIGN_OR_RETURN(const Written written, client.update(kHeads, {&head, 1}));
    TRY(check(written));
    deleted.sub("offset", Bson().number("$lte", last));
    TRY(client.remove(kState, deleted));
    return Done{};
}

// The documents have everything up to `end`. `first`: the date of the first event among them.
Status move_head(Client& client, const std::string& user_id, const HeadDocument& before,
                 const LogHead& end, std::int64_t first_ms) {
    Bson set;
    set.sub("projected", head_document(end));
    if (!before.has_oldest) set.date("oldest", first_ms);
    const Bson older =
        Bson().sub("projected.offset", Bson().number("$lt", signed_bits(end.offset)));
    const Bson none = Bson().sub("projected", Bson().flag("$exists", false));
    const Update move{
        .filter = Bson().text("_id", user_id).array("$or", Bson().sub("0", older).sub("1", none)),
        .change = Bson().sub("$set", set),
        .upsert = true};
    ASSIGN_OR_RETURN(const Written written, client.update(kHeads, {&move, 1}));
    return check(written);
}

}  // namespace

std::string state_id(const std::string& user_id, std::string_view kind, std::string_view name) {
    return std::string(kind)
        .append("/")
        .append(std::to_string(user_id.size()))
        .append("/")
        .append(user_id)
        .append("/")
        .append(name);
}

Bson state_document(std::string_view id, const std::string& user_id, std::string_view kind,
                    const std::string& name, Offset offset, std::string_view text,
                    const StateDates& dates) {
    Bson document;
    if (!id.empty()) document.text("_id", id);
    document.text("userId", user_id)
        .text("kind", kind)
        .text("name", name)
        .number("offset", signed_bits(offset))
        .text("text", text);
    if (text.empty()) document.flag("gone", true);
    if (dates.deleted) document.flag("deleted", true);
    if (dates.expires_at_ms) document.date("expires", *dates.expires_at_ms);
    return document;
}

StateDates dates_of(const Context& context) {
    if (context.deleted) return {.deleted = true};
    return {.expires_at_ms = context.expires_at_ms};
}

Status for_each_change(const EventBatch& batch,
                       const std::function<Status(Offset, const Change&)>& take) {
    EventView event;
    for (Offset offset = batch.first; offset <= batch.last(); ++offset) {
        TRY(decode_event(batch.text(offset), event));
        ASSIGN_OR_RETURN(const Change change, decode_change(event));
        TRY(take(offset, change));
    }
    return Done{};
}

Status read_state(Client& client, const std::string& user_id, State& state) {
    Status good = Done{};
    const auto take = [&](BsonView document) -> Status {
        if (document.flag("gone").value_or(false)) return Done{};
        const std::string_view kind = document.text("kind").value_or("");
        const std::string_view text = document.text("text").value_or("");
        if (kind == "context") {
            ASSIGN_OR_RETURN(Context context, read_context(text));
            ContextChange change;
            change.context = std::make_shared<const Context>(std::move(context));
            fold(state, change);
        } else if (kind == "mode") {
            ASSIGN_OR_RETURN(ModeState mode, read_mode(text));
            fold(state, ModeChange{std::move(mode)});
        } else if (kind == "claim") {
            ASSIGN_OR_RETURN(Claim claim, read_claim(text));
            fold(state, ClaimChange{std::move(claim)});
        } else {
            ASSIGN_OR_RETURN(Conflict conflict, read_conflict(text));
            std::string id = conflict.id;
            state.conflicts.insert_or_assign(std::move(id), std::move(conflict));
        }
        return Done{};
    };
    TRY(client.each(kState, Bson().text("userId", user_id), {}, [&](BsonView document) {
        good = take(document);
        return good.has_value();
    }));
    return good;
}

Status bring_up(Client& client, UserLogs& logs, const std::string& user_id) {
    for (bool more = true; more;) {
        ASSIGN_OR_RETURN(const HeadDocument head, logs.head_document(user_id));
        ASSIGN_OR_RETURN(const UserLogs::Window window,
                         logs.window(user_id, head.projected.offset + 1, kBytes));
        if (window.batch.empty()) return Done{};
        more = window.more;
        Final final;
        TRY(for_each_change(window.batch, [&](Offset offset, const Change& change) {
            final.add(offset, change);
            return Status(Done{});
        }));
        TRY(write_state(client, user_id, final));
        TRY(write_modes(client, user_id, final));
        for (const auto& [offset, record] : final.responses)
            TRY(write_response(client, user_id, offset, record));
        if (final.any_deleted) TRY(forget_deletions(client, user_id));
        TRY(move_head(client, user_id, head, window.batch.head(),
                      window.batch.entries.front().timestamp_ms));
    }
    return Done{};
}

Status drop_places(Client& client, const std::string& user_id, Offset first_kept) {
    const Bson before = Bson().number("$lt", signed_bits(first_kept));
    for (const std::string_view mark : {"gone", "deleted"})
        TRY(client.remove(kState,
                          Bson().text("userId", user_id).flag(mark, true).sub("offset", before)));
    return Done{};
}

}  // namespace dyad::mongo
