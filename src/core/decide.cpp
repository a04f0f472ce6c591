#include "core/decide.hpp"

#include "base/limits.hpp"
#include "core/decide_parts.hpp"
#include "core/mutation.hpp"
#include "model/json.hpp"
#include "model/json_patch.hpp"
#include "model/merge.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

// A context that exists; null for a deleted one.
const ContextPtr& live(const ContextPtr& context) {
    static const ContextPtr none;
    return context && !context->deleted ? context : none;
}

bool version_matches(const ContextPtr& stored, Version expected) {
    const ContextPtr& alive = live(stored);
    const Version version = alive ? alive->version : 0;
    if (broken(Mutation::version_greater_suffices)) return version >= expected;
    return version == expected;
}

std::optional<Rejection> check_conditions(const Command& command, const ContextPtr& stored) {
    const ContextPtr& alive = live(stored);
    const Version version = alive ? alive->version : 0;
    if (command.conditions.hold(version)) return std::nullopt;
    return reject(Errc::version_conflict,
                  broken_condition(command.conditions, version) + "version " +
                      std::to_string(version) + " is stored; read it and try again",
                  alive);
}

std::optional<Rejection> check_version(const Command& command, const ContextPtr& stored) {
    if (auto rejection = check_conditions(command, stored)) return rejection;
    if (!command.expected_version || version_matches(stored, *command.expected_version))
        return std::nullopt;
    const ContextPtr& alive = live(stored);
    return reject(Errc::version_conflict,
                  "expectedVersion: " + std::to_string(*command.expected_version) +
                      " was expected, version " + std::to_string(alive ? alive->version : 0) +
                      " is stored; read it and try again",
                  alive);
}

// `above` laid over `below`: objects member by member, of anything else the upper one.
json::Value overlay(const json::Value& below, const json::Value& above) {
    if (!below.is_object() || !above.is_object()) return above;
    json::Value result = below;
    boost::json::object& members = result.get_object();
    for (const auto& [name, value] : above.get_object()) {
        const boost::json::value* old = members.if_contains(name);
        members.insert_or_assign(name, old ? overlay(*old, value) : value);
    }
    return result;
}

// Who changes a part of a document vouches for no more than that: the whole is believed as little
// as the rest of it.
void believe_no_more_than(const Context& stored, Context& next) {
    if (next.provenance && stored.provenance)
        next.provenance->trust = std::max(next.provenance->trust, stored.provenance->trust);
}

// The decision on one command; a member per kind of command.
class Decider {
  public:
    Decider(const View& view, const Command& command, const Decision& at)
        : view_(view), command_(command), at_(at) {}

    Decided operator()(const PutContext& put) const;
    Decided operator()(const MergePatchContext& patch) const;
    Decided operator()(const JsonPatchContext& patch) const;
    Decided operator()(const DeleteContext& erase) const;
    Decided operator()(const RestoreContext& restore) const;
    Decided operator()(const ResolveConflict& resolve) const;
    Decided operator()(const SetMode&) const { return decide_mode(view_, command_, at_); }
    Decided operator()(const RecordResponse& response) const;
    Decided operator()(const AnnounceMcp& mcp) const;
    Decided operator()(const ExpireContext& expire) const;
    Decided operator()(const AdoptContext& adopt) const;
    Decided operator()(const AcquireClaim& acquire) const {
        return decide_claim(view_, command_, acquire, at_);
    }
    Decided operator()(const ReleaseClaim& release) const { return decide_claim(view_, release); }
    Decided operator()(const ExpireClaim& expire) const { return decide_claim(view_, expire, at_); }

  private:
    Context successor(const ContextPtr& stored, const std::string& key) const;
    Decided write(const ContextPtr& stored, Context&& next, ContextAction action,
                  MergeStrategy strategy, std::vector<Conflict> opened = {},
                  std::vector<std::string> closed = {}) const;
    Decided merge(const PutContext& put, const ContextPtr& stored) const;
    Decided patched(const std::string& key,
                    const std::function<Result<json::Value>(const json::Value&)>& apply) const;
    void apply_options(const PutContext& put, Context& next) const;
    Decided remove(const ContextPtr& stored, ContextAction action) const;

    const View& view_;
    const Command& command_;
    const Decision& at_;
};

// What follows `stored`, all but its data: the version grows by one and is never used again, not
// even after a deletion.
Context Decider::successor(const ContextPtr& stored, const std::string& key) const {
    Context next;
    const bool revived = stored && stored->deleted;
    next.key = key;
    if (stored) {
        next.type = stored->type;
        next.mode = stored->mode;
        next.tags = stored->tags;
        next.version = stored->version;
        next.created_by = stored->created_by;
        next.created_at_ms = stored->created_at_ms;
        next.expires_at_ms = stored->expires_at_ms;
        next.expiry_fixed = stored->expiry_fixed;
    }
    if (!stored) next.version = view_.forgotten_version();
    next.version += 1;
    next.last_modified_by = command_.instance_id;
    next.updated_at_ms = at_.now_ms;
    next.provenance = command_.provenance;
    next.offset = at_.offset;
    if (!stored || revived) {
        next.created_by = command_.instance_id;
        next.created_at_ms = at_.now_ms;
        next.expires_at_ms.reset();
        next.expiry_fixed = false;
        if (at_.context_ttl_ms > 0) next.expires_at_ms = at_.now_ms + at_.context_ttl_ms;
    } else if (next.expires_at_ms && !next.expiry_fixed) {
        if (at_.context_ttl_ms > 0)
            next.expires_at_ms = std::max(*next.expires_at_ms, at_.now_ms + at_.context_ttl_ms);
        else
            next.expires_at_ms.reset();  // contexts have come to stay for ever since
    }
    if (const ModeState* mode = view_.mode(command_.instance_id))
        next.mode = name_of(mode->current);
    return next;
}

Decided Decider::write(const ContextPtr& stored, Context&& next, ContextAction action,
                       MergeStrategy strategy, std::vector<Conflict> opened,
                       std::vector<std::string> closed) const {
    const ContextPtr& alive = live(stored);
    if (!next.deleted) {
        if (next.data.size() > limits::document_bytes_max)
            return reject(Errc::too_large, "data: the document would be larger than " +
                                               std::to_string(limits::document_bytes_max) +
                                               " bytes");
        if (!alive && view_.live_contexts() >= limits::contexts_per_user_max)
            return reject(Errc::limit_reached, "contexts: a user has at most " +
                                                   std::to_string(limits::contexts_per_user_max) +
                                                   "; delete some first");
        const std::size_t before = alive ? alive->data.size() : 0;
        if (next.data.size() > before &&
            view_.live_bytes() + next.data.size() - before > limits::context_bytes_per_user_max)
            return reject(Errc::limit_reached,
                          "contexts: a user's documents have at most " +
                              std::to_string(limits::context_bytes_per_user_max) +
                              " bytes together; delete some first");
    }
    if (!opened.empty() && view_.open_conflicts() + opened.size() > limits::conflicts_per_user_max)
        return reject(Errc::limit_reached, "conflicts: at most " +
                                               std::to_string(limits::conflicts_per_user_max) +
                                               " can be open; resolve some first");
    Decided decided(std::in_place_type<Change>, std::in_place_type<ContextChange>);
    auto& change = std::get<ContextChange>(std::get<Change>(decided));
    change.previous_version = stored ? stored->version : 0;
    change.context = std::make_shared<const Context>(std::move(next));
    change.action = action;
    change.strategy = strategy;
    change.conflicts_opened = std::move(opened);
    change.conflicts_closed = std::move(closed);
    return decided;
}

void Decider::apply_options(const PutContext& put, Context& next) const {
    if (put.type) next.type = *put.type;
    if (put.tags) next.tags = *put.tags;
    if (!put.expires_at_ms && !put.ttl_days) return;
    constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
    next.expires_at_ms = put.expires_at_ms.value_or(std::nullopt);
    if (put.ttl_days.value_or(0) > 0) next.expires_at_ms = at_.now_ms + *put.ttl_days * kDayMs;
    next.expiry_fixed = next.expires_at_ms.has_value();
}

Decided Decider::operator()(const PutContext& put) const {
    const ContextPtr& stored = view_.context(put.key);
    const ContextPtr& alive = live(stored);
    if (const auto rejection = check_conditions(command_, stored)) return *rejection;
    if (put.strategy == MergeStrategy::ignore && alive) return NoChange{alive, put.data};
    if (put.strategy == MergeStrategy::merge && alive) return merge(put, stored);
    if (!put.force) {
        if (const auto rejection = check_version(command_, stored)) return *rejection;
        if (alive && !command_.expected_version && !command_.conditions.present())
            return reject(Errc::version_conflict,
                          "expectedVersion: is required to replace what is stored (version " +
                              std::to_string(alive->version) + "), or force",
                          alive);
    }
    Context next = successor(stored, put.key);
    next.data = put.data;
    if (!alive) {
        next.type = ContextType::custom;
        next.tags.clear();
    }
    apply_options(put, next);
    return write(stored, std::move(next), alive ? ContextAction::updated : ContextAction::created,
                 put.strategy);
}

// Three-way where the base is known; laid over the stored document where none was named (its old
// values stay in the history); both sides kept as conflicts where the base is no longer in the log.
Decided Decider::merge(const PutContext& put, const ContextPtr& stored) const {
    std::optional<Version> from = command_.expected_version;
    if (!from && command_.conditions.exact()) from = stored->version;
    if (from && !put.base_data) {
        if (*from > stored->version) return *check_version(command_, stored);
        if (*from != stored->version) return NeedsVersion{put.key, *from};
    }
    const Result<json::Value> ours = json::parse(stored->data);
    const Result<json::Value> theirs = json::parse(put.data);
    if (!ours) return Rejection{ours.error(), nullptr};
    if (!theirs) return Rejection{theirs.error(), nullptr};
    json::MergeResult merged;
    if (!from) {
        merged.merged = overlay(*ours, *theirs);
    } else if (*from == stored->version) {
        merged.merged = *theirs;  // based on exactly what is stored
    } else if (!put.base_data->has_value()) {
        merged = json::merge2(*ours, *theirs);
    } else {
        const Result<json::Value> base = json::parse(**put.base_data);
        if (!base) return Rejection{base.error(), nullptr};
        merged = json::merge3(*base, *ours, *theirs);
    }
    if (const Status fits = json::check(merged.merged); !fits)
        return Rejection{fits.error(), stored};
    Context next = successor(stored, put.key);
    next.data = json::canonical(merged.merged);
    if (from != stored->version) believe_no_more_than(*stored, next);
    apply_options(put, next);
    std::vector<Conflict> opened;
    const auto text = [](const std::optional<json::Value>& value) {
        return value ? std::optional<std::string>(json::canonical(*value)) : std::nullopt;
    };
    for (const json::MergeConflict& found : merged.conflicts) {
        Conflict conflict;
        conflict.id = std::to_string(at_.offset) + "." + std::to_string(opened.size() + 1);
        conflict.context_key = put.key;
        conflict.path = found.path;
        conflict.base = text(found.base);
        conflict.stored = text(found.ours);
        conflict.incoming = text(found.theirs);
        conflict.incoming_from = command_.instance_id;
        conflict.version = next.version;
        conflict.recorded_at_ms = at_.now_ms;
        opened.push_back(std::move(conflict));
    }
    return write(stored, std::move(next), ContextAction::updated, MergeStrategy::merge,
                 std::move(opened));
}

Decided Decider::patched(
    const std::string& key,
    const std::function<Result<json::Value>(const json::Value&)>& apply) const {
    const ContextPtr& stored = live(view_.context(key));
    if (!stored) return reject(Errc::not_found, "contextKey: there is no context \"" + key + "\"");
    if (const auto rejection = check_version(command_, stored)) return *rejection;
    const Result<json::Value> document = json::parse(stored->data);
    if (!document) return Rejection{document.error(), nullptr};
    const Result<json::Value> result = apply(*document);
    if (!result) return Rejection{result.error(), stored};
    if (!result->is_object())
        return reject(Errc::patch_failed, "patch: the document must stay a JSON object", stored);
    if (const Status fits = json::check(*result); !fits) return Rejection{fits.error(), stored};
    Context next = successor(stored, key);
    next.data = json::canonical(*result);
    believe_no_more_than(*stored, next);
    return write(stored, std::move(next), ContextAction::updated, MergeStrategy::merge);
}

Decided Decider::operator()(const MergePatchContext& patch) const {
    return patched(patch.key, [&](const json::Value& document) -> Result<json::Value> {
        const Result<json::Value> value = json::parse(patch.patch);
        if (!value) return value.error();
        return json::merge_patch(document, *value);
    });
}

Decided Decider::operator()(const JsonPatchContext& patch) const {
    return patched(patch.key, [&](const json::Value& document) -> Result<json::Value> {
        const Result<json::Value> value = json::parse(patch.patch);
        if (!value) return value.error();
        return json::apply_patch(document, *value);
    });
}

Decided Decider::remove(const ContextPtr& stored, ContextAction action) const {
    Context next = successor(stored, stored->key);
    next.data = "null";
    next.deleted = true;
    next.tags.clear();
    next.expires_at_ms.reset();
    next.expiry_fixed = false;
    return write(stored, std::move(next), action, MergeStrategy::replace, {},
                 view_.conflicts_of(stored->key));
}

Decided Decider::operator()(const DeleteContext& erase) const {
    const ContextPtr& stored = live(view_.context(erase.key));
    if (!stored)
        return reject(Errc::not_found, "contextKey: there is no context \"" + erase.key + "\"");
    if (const auto rejection = check_version(command_, stored)) return *rejection;
    return remove(stored, ContextAction::deleted);
}

Decided Decider::operator()(const ExpireContext& expire) const {
    const ContextPtr& stored = live(view_.context(expire.key));
    const bool due = stored && stored->version == expire.version && stored->expires_at_ms &&
                     *stored->expires_at_ms <= at_.proven_ms;
    if (!due) return NoChange{stored, "null"};
    return remove(stored, ContextAction::expired);
}

// Nobody is asked for an expected version: what was written is a fact, and the newest one. Its
// version may be a clock; versions grow, whoever counts them.
Decided Decider::operator()(const AdoptContext& adopt) const {
    const Context& theirs = *adopt.document;
    const ContextPtr& stored = view_.context(theirs.key);
    const ContextPtr& alive = live(stored);
    Context next = successor(stored, theirs.key);
    next.version = std::max(next.version, theirs.version);
    next.data = theirs.data;
    next.type = theirs.type;
    next.tags = theirs.tags;
    if (!theirs.mode.empty()) next.mode = theirs.mode;
    if (!theirs.last_modified_by.empty()) next.last_modified_by = theirs.last_modified_by;
    if (theirs.expires_at_ms && *theirs.expires_at_ms > at_.now_ms) {
        next.expires_at_ms = theirs.expires_at_ms;
        next.expiry_fixed = true;
    }
    return write(stored, std::move(next), alive ? ContextAction::updated : ContextAction::created,
                 MergeStrategy::replace);
}

Decided Decider::operator()(const RestoreContext& restore) const {
    const ContextPtr& stored = view_.context(restore.key);
    if (!stored)
        return reject(Errc::not_found, "contextKey: there is no context \"" + restore.key + "\"");
    if (const auto rejection = check_version(command_, stored)) return *rejection;
    ContextPtr snapshot = restore.snapshot;
    if (!snapshot && stored->version == restore.version) snapshot = stored;
    if (!snapshot) return NeedsVersion{restore.key, restore.version};
    if (snapshot->deleted)
        return reject(Errc::invalid_field,
                      "version: " + std::to_string(restore.version) +
                          " is a deletion; restore an earlier version",
                      live(stored));
    Context next = successor(stored, restore.key);
    next.data = snapshot->data;
    next.type = snapshot->type;
    next.tags = snapshot->tags;
    if (!next.provenance) next.provenance = snapshot->provenance;  // it is what it was
    return write(stored, std::move(next), ContextAction::restored, MergeStrategy::replace);
}

Decided Decider::operator()(const ResolveConflict& resolve) const {
    const Conflict* conflict = view_.conflict(resolve.conflict_id);
    if (conflict == nullptr)
        return reject(Errc::not_found,
                      "conflictId: there is no open conflict \"" + resolve.conflict_id + "\"");
    const ContextPtr& stored = live(view_.context(conflict->context_key));
    if (!stored) return reject(Errc::not_found, "conflictId: its context was deleted");
    if (const auto rejection = check_version(command_, stored)) return *rejection;
    Context next = successor(stored, stored->key);
    if (resolve.choice == ResolveConflict::Choice::stored) {
        next.data = stored->data;
        if (!next.provenance) next.provenance = stored->provenance;
    } else {
        const std::optional<std::string>& chosen =
            resolve.choice == ResolveConflict::Choice::value ? resolve.value : conflict->incoming;
        std::optional<json::Value> value;
        if (chosen) {
            Result<json::Value> parsed = json::parse(*chosen);
            if (!parsed) return Rejection{parsed.error(), nullptr};
            value = *std::move(parsed);
        }
        const Result<json::Value> document = json::parse(stored->data);
        if (!document) return Rejection{document.error(), nullptr};
        const Result<std::vector<std::string>> path = json::parse_pointer(conflict->path);
        if (!path) return Rejection{path.error(), nullptr};
        const Result<json::Value> result = json::set_at(*document, *path, std::move(value));
        if (!result) return Rejection{result.error(), stored};
        if (!result->is_object())
            return reject(Errc::invalid_field, "value: the document must stay a JSON object");
        if (const Status fits = json::check(*result); !fits) return Rejection{fits.error(), stored};
        next.data = json::canonical(*result);
        believe_no_more_than(*stored, next);
    }
    return write(stored, std::move(next), ContextAction::resolved, MergeStrategy::merge, {},
                 {resolve.conflict_id});
}

Decided Decider::operator()(const RecordResponse& response) const {
    ResponseChange change{response.record};
    // What an existing instance announced names it; it came by the bus.
    if (command_.instance_id != kForeignInstance || change.record.instance_id.empty())
        change.record.instance_id = command_.instance_id;
    change.record.offset = at_.offset;
    if (change.record.timestamp_ms == 0) change.record.timestamp_ms = at_.now_ms;
    if (change.record.final.timestamp_ms == 0)
        change.record.final.timestamp_ms = change.record.timestamp_ms;
    for (ResponseSource& source : change.record.sources)
        if (source.timestamp_ms == 0) source.timestamp_ms = change.record.timestamp_ms;
    return Change(std::move(change));
}

Decided Decider::operator()(const AnnounceMcp& mcp) const {
    return Change(McpChange{mcp.kind, mcp.payload});
}

}  // namespace

Decided decide(const View& view, const Command& command, const Decision& at) {
    // Inspired mode is private: nothing of that instance leaves it but its own mode (wire.md 1.5).
    const auto* set = std::get_if<SetMode>(&command.body);
    const bool own = set != nullptr ? mode_owner(command) == command.instance_id
                                    : std::holds_alternative<ExpireContext>(command.body) ||
                                          std::holds_alternative<ExpireClaim>(command.body);
    // What comes through its connection leaves it, too, whoever is named in it.
    const bool via = !command.via.empty() && view.is_private(command.via);
    if ((at.is_private || via || view.is_private(command.instance_id)) && !own)
        return reject(Errc::private_mode,
                      "instanceId: \"" + (via ? command.via : command.instance_id) +
                          "\" is in inspired mode, or asked for it; switch to didactic or "
                          "parallel to share");
    if (command.fence)
        if (auto rejection = check_fence(view, *command.fence, at)) return *std::move(rejection);
    return std::visit(Decider(view, command, at), command.body);
}

}  // namespace dyad::core
