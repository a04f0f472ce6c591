// That every event says what its command asked for, given what was stored before it. Documents are
// merged here once more, by tests/sim/reference.cpp.
#include "sim/checker.hpp"
#include "sim/reference.hpp"

#include <array>

namespace dyad::sim {
namespace {

using reference::Json;

// One user's log on the way, as far as a command's outcome depends on it.
struct Before {
    std::map<std::string, std::vector<ContextPtr>> contexts;  // every version
    std::map<std::string, Conflict> conflicts;
    std::map<std::string, ModeState> modes;
};

class Judge {
  public:
    Judge(const Before& before, const Operation& operation, const Change& change)
        : before_(before), operation_(operation), change_(change) {}

    // What is wrong; empty where nothing is.
    std::string operator()(const PutContext& put) const;
    std::string operator()(const MergePatchContext& patch) const;
    std::string operator()(const JsonPatchContext& patch) const;
    std::string operator()(const DeleteContext& erase) const;
    std::string operator()(const RestoreContext& restore) const;
    std::string operator()(const ResolveConflict& resolve) const;
    std::string operator()(const SetMode& set) const;
    std::string operator()(const RecordResponse& response) const;
    std::string operator()(const AnnounceMcp& mcp) const;
    std::string operator()(const AcquireClaim& acquire) const;
    std::string operator()(const ReleaseClaim& release) const;
    std::string operator()(const ExpireClaim&) const { return "clients cannot ask for expiry"; }
    std::string operator()(const ExpireContext&) const { return "clients cannot ask for expiry"; }
    std::string operator()(const AdoptContext&) const { return "clients cannot adopt"; }

  private:
    const ContextChange* context(const std::string& key) const {
        const auto* change = std::get_if<ContextChange>(&change_);
        return change != nullptr && change->context->key == key ? change : nullptr;
    }
    ContextPtr stored(const std::string& key) const {
        const auto at = before_.contexts.find(key);
        return at == before_.contexts.end() || at->second.back()->deleted ? nullptr
                                                                          : at->second.back();
    }
    ContextPtr version(const std::string& key, Version wanted) const {
        const auto at = before_.contexts.find(key);
        if (at == before_.contexts.end()) return nullptr;
        for (const ContextPtr& one : at->second)
            if (one->version == wanted && !one->deleted) return one;
        return nullptr;
    }
    std::string merged(const PutContext& put, const ContextPtr& old,
                       const ContextChange& change) const;
    static std::string equal(const ContextChange& change, const Json& expected) {
        return !change.context->deleted && reference::parse(change.context->data) == expected
                   ? ""
                   : "its content is " + change.context->data;
    }

    const Before& before_;
    const Operation& operation_;
    const Change& change_;
};

std::string Judge::merged(const PutContext& put, const ContextPtr& old,
                          const ContextChange& change) const {
    const Json ours = reference::parse(old->data);
    const Json theirs = reference::parse(put.data);
    const auto& expected = operation_.command.expected_version;
    if (!expected) return equal(change, reference::overlay(ours, theirs));
    if (*expected == old->version) return equal(change, theirs);
    const auto fits = [&](const Json* base) {
        const reference::Merged result = reference::merge(base, ours, theirs);
        return equal(change, result.document).empty() &&
               change.conflicts_opened.size() == result.conflicts;
    };
    // Where the log had dropped the base, the merge had to do without.
    if (fits(nullptr)) return {};
    if (const ContextPtr base = version(put.key, *expected)) {
        const Json document = reference::parse(base->data);
        if (fits(&document)) return {};
    }
    return "the merge gave " + change.context->data + " with " +
           std::to_string(change.conflicts_opened.size()) + " conflicts";
}

std::string Judge::operator()(const PutContext& put) const {
    const ContextChange* change = context(put.key);
    if (change == nullptr) return "it is of another context";
    const ContextPtr old = stored(put.key);
    if (put.strategy == MergeStrategy::ignore && old) return "it replaced what it had to keep";
    if (put.strategy == MergeStrategy::merge && old) return merged(put, old, *change);
    if (!put.force && old && !operation_.command.expected_version)
        return "it replaced a context without saying which version";
    return equal(*change, reference::parse(put.data));
}

std::string Judge::operator()(const MergePatchContext& patch) const {
    const ContextChange* change = context(patch.key);
    const ContextPtr old = stored(patch.key);
    if (change == nullptr || !old) return "there was nothing to patch";
    return equal(*change, reference::merge_patch(reference::parse(old->data),
                                                 reference::parse(patch.patch)));
}

std::string Judge::operator()(const JsonPatchContext& patch) const {
    const ContextChange* change = context(patch.key);
    const ContextPtr old = stored(patch.key);
    if (change == nullptr || !old) return "there was nothing to patch";
    const auto expected =
        reference::json_patch(reference::parse(old->data), reference::parse(patch.patch));
    return expected ? equal(*change, *expected) : "the patch does not apply";
}

std::string Judge::operator()(const DeleteContext& erase) const {
    const ContextChange* change = context(erase.key);
    return change != nullptr && change->context->deleted && stored(erase.key)
               ? ""
               : "it deleted nothing";
}

std::string Judge::operator()(const RestoreContext& restore) const {
    const ContextChange* change = context(restore.key);
    const ContextPtr old = version(restore.key, restore.version);
    if (change == nullptr || !old) return "there was nothing to restore";
    return equal(*change, reference::parse(old->data));
}

std::string Judge::operator()(const ResolveConflict& resolve) const {
    const auto conflict = before_.conflicts.find(resolve.conflict_id);
    if (conflict == before_.conflicts.end()) return "there was no such conflict";
    const ContextChange* change = context(conflict->second.context_key);
    const ContextPtr old = stored(conflict->second.context_key);
    if (change == nullptr || !old) return "it is of another context";
    if (change->conflicts_closed != std::vector{resolve.conflict_id})
        return "it closed another conflict";
    Json document = reference::parse(old->data);
    if (resolve.choice != ResolveConflict::Choice::stored) {
        const auto& chosen = resolve.choice == ResolveConflict::Choice::value
                                 ? resolve.value
                                 : conflict->second.incoming;
        if (!reference::resolve_at(
                document, conflict->second.path,
                chosen ? std::optional(reference::parse(*chosen)) : std::nullopt))
            return "its path is not there any more";
    }
    return equal(*change, document);
}

std::string Judge::operator()(const SetMode& set) const {
    const auto* change = std::get_if<ModeChange>(&change_);
    if (change == nullptr) return "it is no change of mode";
    const std::string& instance =
        set.instance_id ? *set.instance_id : operation_.command.instance_id;
    const ModeState& state = change->state;
    const auto old = before_.modes.find(instance);
    const std::optional<Mode> previous =
        old == before_.modes.end() ? std::nullopt : std::optional(old->second.current);
    return state.instance_id == instance && state.current == set.mode &&
                   state.previous == previous && state.configuration == set.configuration
               ? ""
               : "the mode is another one than was asked for";
}

std::string Judge::operator()(const RecordResponse& response) const {
    const auto* change = std::get_if<ResponseChange>(&change_);
    const ResponseRecord& asked = response.record;
    return change != nullptr && change->record.chat_id == asked.chat_id &&
                   change->record.message_id == asked.message_id &&
                   change->record.final.response_hash == asked.final.response_hash &&
                   change->record.final.confidence == asked.final.confidence
               ? ""
               : "the response is another one than was sent";
}

std::string Judge::operator()(const AnnounceMcp& mcp) const {
    const auto* change = std::get_if<McpChange>(&change_);
    return change != nullptr && change->kind == mcp.kind && change->payload == mcp.payload
               ? ""
               : "the MCP event is another one than was sent";
}

// When it is granted to whom is point 17's.
std::string Judge::operator()(const AcquireClaim& acquire) const {
    const auto* change = std::get_if<ClaimChange>(&change_);
    return change != nullptr && change->claim.resource == acquire.resource &&
                   change->claim.instance_id == operation_.command.instance_id &&
                   change->claim.session == acquire.session &&
                   (!acquire.note || change->claim.note == *acquire.note)
               ? ""
               : "the claim is another one than was asked for";
}

std::string Judge::operator()(const ReleaseClaim& release) const {
    const auto* change = std::get_if<ClaimChange>(&change_);
    return change != nullptr && change->action == ClaimAction::released &&
                   change->claim.resource == release.resource &&
                   change->claim.token == release.token
               ? ""
               : "it released another claim";
}

// Of what a command wrote into a context; what it left as it was keeps who it is of.
bool is_of_its_author(const Command& command, const Change& change) {
    const auto* context = std::get_if<ContextChange>(&change);
    const bool keeps = std::holds_alternative<RestoreContext>(command.body) ||
                       std::holds_alternative<ResolveConflict>(command.body);
    if (context == nullptr || (keeps && !command.provenance)) return true;
    const std::optional<Provenance>& said = context->context->provenance;
    if (!said || !command.provenance) return said == command.provenance;
    return said->kind == command.provenance->kind && said->model == command.provenance->model &&
           said->trust >= command.provenance->trust;
}

// An event of the server's own: what was written beside the log, or the expiry of a context that
// was due.
std::string judge_server_event(const Evidence& evidence, const std::string& user_id,
                               const EventView& view, const Before& before, const LogEntry& entry) {
    const auto* change = std::get_if<ContextChange>(&entry.change);
    if (change != nullptr && view.source_instance_id == kForeignInstance)
        return std::any_of(evidence.history.foreign.begin(), evidence.history.foreign.end(),
                           [&](const ForeignWrite& write) {
                               return write.user_id == user_id &&
                                      write.context->key == change->context->key &&
                                      write.context->data == change->context->data;
                           })
                   ? ""
                   : "nobody wrote it";
    const auto* mode = std::get_if<ModeChange>(&entry.change);
    if (mode != nullptr && view.source_instance_id == kForeignInstance)
        return std::any_of(evidence.history.foreign_modes.begin(),
                           evidence.history.foreign_modes.end(),
                           [&](const ForeignMode& written) {
                               return written.user_id == user_id &&
                                      written.state.instance_id == mode->state.instance_id &&
                                      written.state.current == mode->state.current;
                           })
                   ? ""
                   : "nobody said this mode";
    const auto* claim = std::get_if<ClaimChange>(&entry.change);
    if (claim != nullptr && view.source_instance_id == kServerInstance)
        return claim->action == ClaimAction::expired ? "" : "nobody asked for this claim";
    if (change == nullptr || change->action != ContextAction::expired) return "nobody asked for it";
    const auto at = before.contexts.find(change->context->key);
    const ContextPtr old = at == before.contexts.end() ? nullptr : at->second.back();
    if (!old || old->deleted || !old->expires_at_ms) return "it expired what could not expire";
    if (*old->expires_at_ms > entry.event->entries.front().timestamp_ms)
        return "it expired a context before its time";
    return change->context->deleted ? "" : "an expired context is still there";
}

void take(Before& before, const Change& change) {
    if (const auto* context = std::get_if<ContextChange>(&change)) {
        before.contexts[context->context->key].push_back(context->context);
        for (const std::string& id : context->conflicts_closed)
            before.conflicts.erase(id);
        for (const Conflict& conflict : context->conflicts_opened)
            before.conflicts[conflict.id] = conflict;
    } else if (const auto* mode = std::get_if<ModeChange>(&change)) {
        for (const std::string& id : mode->forgotten)
            before.modes.erase(id);
        before.modes[mode->state.instance_id] = mode->state;
    }
}

}  // namespace

void check_contents(const Evidence& evidence, Violations& out) {
    using Id = std::array<std::string, 3>;
    std::map<Id, const Operation*> operations;
    for (const Operation& operation : evidence.history.operations)
        if (!operation.misuse)
            operations[{operation.user_id, operation.command.instance_id,
                        operation.command.operation_id}] = &operation;
    for (const auto& [user_id, log] : evidence.final_logs) {
        Before before;
        for (const LogEntry* entry : log) {
            const Result<EventView> view = decode_event(entry->event->texts);
            if (!view) continue;
            const auto at =
                operations.find({user_id, view->source_instance_id, view->operation_id});
            std::string wrong = at == operations.end()
                                    ? judge_server_event(evidence, user_id, *view, before, *entry)
                                    : std::visit(Judge(before, *at->second, entry->change),
                                                 at->second->command.body);
            if (wrong.empty() && at != operations.end() &&
                !is_of_its_author(at->second->command, entry->change))
                wrong = "it is said to be of another author";
            if (!wrong.empty())
                out.push_back({1, user_id + ": offset " + std::to_string(view->offset) + ", " +
                                      view->source_instance_id + "/" + view->operation_id + ": " +
                                      wrong});
            take(before, entry->change);
        }
    }
}

}  // namespace dyad::sim
