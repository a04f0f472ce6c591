// Point 7: whoever reads sees everything that anybody was told before. A rejection is a read as
// well: it must rest on a state that the log had while the command was under way.
#include "sim/checker.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

// By when somebody knew that the log had reached an offset.
struct Known {
    std::int64_t at_us;
    Offset offset;
};

// What was known of one user's log, by time, the offset never going down.
class Knowledge {
  public:
    void add(std::int64_t at_us, Offset offset) { known_.push_back({at_us, offset}); }
    void settle() {
        std::sort(known_.begin(), known_.end(), [](const Known& a, const Known& b) {
            return a.at_us != b.at_us ? a.at_us < b.at_us : a.offset < b.offset;
        });
        for (std::size_t i = 1; i < known_.size(); ++i)
            known_[i].offset = std::max(known_[i].offset, known_[i - 1].offset);
    }
    // The highest offset that was known before `time_us`.
    Offset before(std::int64_t time_us) const {
        const auto at =
            std::lower_bound(known_.begin(), known_.end(), time_us,
                             [](const Known& known, std::int64_t t) { return known.at_us < t; });
        return at == known_.begin() ? 0 : std::prev(at)->offset;
    }

  private:
    std::vector<Known> known_;
};

bool is_ignored(const Reply& reply) {
    return reply.result.find("\"ignored\":true") != std::string::npos;
}

std::map<std::string, Knowledge> knowledge_of(const Evidence& evidence) {
    std::map<std::string, Knowledge> users;
    const auto learn = [&](const std::string& user_id, const Position& position,
                           std::int64_t at_us) {
        const LogEntry* entry = evidence.at(user_id, position.offset, position.hash);
        // What a restore took away again binds nobody.
        if (entry != nullptr && entry->lost_us == kNever)
            users[user_id].add(at_us, position.offset);
    };
    for (const Operation& operation : evidence.history.operations)
        for (const Answer& answer : operation.answers)
            if (const auto* reply = std::get_if<Reply>(&answer.result))
                learn(operation.user_id, reply->position, answer.at_us);
    for (const Read& read : evidence.history.reads)
        learn(read.user_id, read.position, read.done_us);
    for (auto& [user_id, knowledge] : users)
        knowledge.settle();
    return users;
}

// The log of one user by subject: what it said of a context or a mode, and from which offset on.
struct Subjects {
    std::map<std::string, std::vector<std::pair<Offset, ContextPtr>>> contexts;
    std::map<std::string, std::vector<std::pair<Offset, ModeState>>> modes;
    std::vector<std::int64_t> journaled_us;  // by offset - 1

    explicit Subjects(const std::vector<const LogEntry*>& log) {
        for (const LogEntry* entry : log) {
            const Offset offset = entry->event->first;
            journaled_us.push_back(entry->journaled_us);
            if (const auto* context = std::get_if<ContextChange>(&entry->change))
                contexts[context->context->key].emplace_back(offset, context->context);
            if (const auto* mode = std::get_if<ModeChange>(&entry->change)) {
                for (const std::string& id : mode->forgotten)
                    modes[id].emplace_back(offset, ModeState());  // as if it had never said one
                modes[mode->state.instance_id].emplace_back(offset, mode->state);
            }
        }
    }
    // The end of the log at a time.
    Offset end_at(std::int64_t time_us) const {
        return static_cast<Offset>(
            std::upper_bound(journaled_us.begin(), journaled_us.end(), time_us) -
            journaled_us.begin());
    }
};

// True where `holds` is true of the subject at some offset in [from, to]; of null before its first.
template <class T, class Holds>
bool once_held(const std::map<std::string, std::vector<std::pair<Offset, T>>>& subjects,
               const std::string& name, Offset from, Offset to, Holds holds) {
    const auto at = subjects.find(name);
    const T* before = nullptr;
    if (at != subjects.end()) {
        for (const auto& [offset, value] : at->second) {
            if (offset > to) break;
            if (offset > from && holds(before)) return true;
            before = &value;
        }
    }
    return holds(before);
}

Version live_version(const ContextPtr* context) {
    return context != nullptr && !(*context)->deleted ? (*context)->version : 0;
}

const std::string* key_of(const Command& command) {
    return std::visit(
        [](const auto& body) -> const std::string* {
            if constexpr (requires { body.key; })
                return &body.key;
            else
                return nullptr;
        },
        command.body);
}

bool justified(const Operation& operation, Errc code, const Subjects& log, Offset from, Offset to) {
    const Command& command = operation.command;
    const std::string* key = key_of(command);
    if (code == Errc::version_conflict && key != nullptr)
        return once_held(log.contexts, *key, from, to, [&](const ContextPtr* context) {
            const Version version = live_version(context);
            return command.expected_version ? version != *command.expected_version : version != 0;
        });
    if (code == Errc::version_conflict) {
        const auto* set = std::get_if<SetMode>(&command.body);
        if (set == nullptr) return true;
        const std::string& instance = set->instance_id ? *set->instance_id : command.instance_id;
        return once_held(log.modes, instance, from, to, [&](const ModeState* mode) {
            return (mode ? mode->sync_version : 0) != command.expected_version.value_or(0);
        });
    }
    if (code == Errc::not_found && key != nullptr &&
        !std::holds_alternative<RestoreContext>(command.body))
        return once_held(log.contexts, *key, from, to,
                         [](const ContextPtr* context) { return live_version(context) == 0; });
    return true;
}

}  // namespace

void check_read_order(const Evidence& evidence, Violations& out) {
    const History& history = evidence.history;
    const std::map<std::string, Knowledge> users = knowledge_of(evidence);
    const auto known_before = [&](const std::string& user_id, std::int64_t time_us) {
        const auto at = users.find(user_id);
        return at == users.end() ? 0 : at->second.before(time_us);
    };
    // What was known may have been lost, and known anew, between two times with a restore between.
    const auto comparable = [&](std::int64_t a_us, std::int64_t b_us) {
        return evidence.last_restore_us(a_us) == evidence.last_restore_us(b_us);
    };
    for (const Read& read : history.reads) {
        using Kind = core::Freshness::Kind;
        const std::int64_t since_us = read.fresh.kind == Kind::at_hand
                                          ? read.done_us - 1000 * (read.age_ms + 1)
                                          : read.started_us;
        const Offset known = read.fresh.kind == Kind::at_least
                                 ? read.fresh.position.offset
                                 : known_before(read.user_id, since_us);
        const LogEntry* entry = evidence.at(read.user_id, read.position.offset, read.position.hash);
        if (entry != nullptr && entry->lost_us != kNever) continue;
        const bool same_log = read.fresh.kind == Kind::at_least
                                  ? history.restores.empty()
                                  : comparable(since_us, read.done_us);
        if (read.position.offset < known && same_log)
            out.push_back({7, read.user_id + ", read at node " + std::to_string(read.process.node) +
                                  ": offset " + std::to_string(read.position.offset) + ", though " +
                                  std::to_string(known) + " was known before it began"});
    }
    if (!history.restores.empty()) return;  // what rejections rested on may have been lost
    std::map<std::string, Subjects> logs;
    for (const auto& [user_id, log] : evidence.final_logs)
        logs.emplace(user_id, Subjects(log));
    for (const Operation& operation : history.operations) {
        const std::string who = operation.user_id + " " + operation.command.instance_id + "/" +
                                operation.command.operation_id;
        const Offset known = known_before(operation.user_id, operation.invoked_us);
        for (const Answer& answer : operation.answers) {
            if (const auto* reply = std::get_if<Reply>(&answer.result)) {
                if (is_ignored(*reply) && reply->position.offset < known)
                    out.push_back({7, who + " was answered from offset " +
                                          std::to_string(reply->position.offset) + ", though " +
                                          std::to_string(known) + " was known before it began"});
                continue;
            }
            const Errc code = std::get<Rejection>(answer.result).error.code;
            const auto log = logs.find(operation.user_id);
            if (log == logs.end()) continue;
            if (!justified(operation, code, log->second, known, log->second.end_at(answer.at_us)))
                out.push_back({7, who + " was rejected (" + std::string(error_row(code).name) +
                                      ") for what was not so since offset " +
                                      std::to_string(known)});
        }
    }
}

}  // namespace dyad::sim
