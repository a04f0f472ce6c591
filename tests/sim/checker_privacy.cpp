// Point 14: from the moment an instance asks for inspired mode, nothing of it gets out through that
// node and nothing of others is pushed to it there, until another mode is durable. What became of
// the ask (refused, unknown, noted) does not matter.
#include "sim/checker.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

const ModeChange* mode_of(const LogEntry& entry, const std::string& instance) {
    const auto* mode = std::get_if<ModeChange>(&entry.change);
    return mode != nullptr && mode->state.instance_id == instance ? mode : nullptr;
}

bool is_open(const LogEntry& entry, const std::string& instance) {
    const ModeChange* mode = mode_of(entry, instance);
    return mode != nullptr && mode->state.success && mode->state.current != Mode::inspired;
}

// One ask for privacy at a node that the instance is connected to.
struct Ask {
    const Stream& stream;
    Submission at;
    const std::vector<LogEntry>& log;

    const std::string& instance() const { return stream.request.instance_id; }
    // Another mode became durable after the ask and before `time_us`.
    bool ended_by(std::int64_t time_us) const {
        return std::any_of(log.begin(), log.end(), [&](const LogEntry& entry) {
            return is_open(entry, instance()) && entry.journaled_us >= at.at_us &&
                   entry.journaled_us <= time_us;
        });
    }
};

void judge_deliveries(const Ask& ask, Violations& out) {
    for (const Stream::Item& item : ask.stream.items) {
        if (item.at_us <= ask.at.at_us || std::holds_alternative<Stream::Ready>(item.what))
            continue;
        if (!ask.ended_by(item.at_us))
            out.push_back({14, ask.stream.request.user_id + " " + ask.instance() +
                                   " was sent something after it had asked for privacy"});
    }
}

// An operation that came only to this node, only after the ask, and while the instance was
// connected there.
bool came_after(const Ask& ask, const Operation& operation) {
    return !operation.submitted.empty() &&
           std::all_of(operation.submitted.begin(), operation.submitted.end(),
                       [&](const Submission& one) {
                           return one.process == ask.at.process && one.order > ask.at.order &&
                                  one.at_us < ask.stream.detached_us;
                       });
}

void judge_writes(const Ask& ask, const History& history, Violations& out) {
    for (const Operation& operation : history.operations) {
        const Command& command = operation.command;
        if (operation.user_id != ask.stream.request.user_id || operation.misuse ||
            command.instance_id != ask.instance() ||
            std::holds_alternative<SetMode>(command.body) || !came_after(ask, operation))
            continue;
        const std::uint64_t key = operation_key(command.instance_id, command.operation_id);
        for (const LogEntry& entry : ask.log)
            if (entry.event->entries.front().operation_key == key &&
                !ask.ended_by(entry.journaled_us))
                out.push_back({14, operation.user_id + " " + command.instance_id + "/" +
                                       command.operation_id +
                                       " was written after its instance had asked for privacy"});
    }
}

// The log said that mode before: an answer that was lost, and no new ask.
bool is_repeated(const Operation& operation, const Submission& at,
                 const std::vector<LogEntry>& log) {
    const std::uint64_t key =
        operation_key(operation.command.instance_id, operation.command.operation_id);
    return std::any_of(log.begin(), log.end(), [&](const LogEntry& entry) {
        return entry.event->entries.front().operation_key == key && entry.journaled_us <= at.at_us;
    });
}

}  // namespace

void check_privacy(const Evidence& evidence, Violations& out) {
    const History& history = evidence.history;
    for (const Operation& operation : history.operations) {
        if (!asks_for_privacy(operation.command)) continue;
        const auto log = history.logs.find(operation.user_id);
        static const std::vector<LogEntry> kNone;
        const std::vector<LogEntry>& entries = log == history.logs.end() ? kNone : log->second;
        for (const auto& stream : history.streams) {
            if (stream->request.user_id != operation.user_id ||
                stream->request.instance_id != mode_owner(operation.command))
                continue;
            for (const Submission& at : operation.submitted) {
                if (at.process != stream->process || at.at_us <= stream->attached_us ||
                    at.at_us >= stream->detached_us || is_repeated(operation, at, entries))
                    continue;
                const Ask ask{*stream, at, entries};
                judge_deliveries(ask, out);
                judge_writes(ask, history, out);
            }
        }
    }
}

bool may_be_private(const Evidence& evidence, const std::string& user_id,
                    const std::string& instance_id) {
    constexpr std::int64_t kSettled_us = 2'000'000;  // a node has read what was before a refusal
    const LogEntry* last = nullptr;
    if (const auto log = evidence.final_logs.find(user_id); log != evidence.final_logs.end())
        for (const LogEntry* entry : log->second)
            if (mode_of(*entry, instance_id) != nullptr) last = entry;
    if (last != nullptr && !is_open(*last, instance_id)) return true;
    std::int64_t open_us = -1;   // when it said its mode
    std::int64_t asked_us = -1;  // when it last asked for privacy
    for (const Operation& operation : evidence.history.operations) {
        if (operation.user_id != user_id || operation.submitted.empty() ||
            !std::holds_alternative<SetMode>(operation.command.body) ||
            mode_owner(operation.command) != instance_id)
            continue;
        const std::uint64_t key =
            operation_key(operation.command.instance_id, operation.command.operation_id);
        if (asks_for_privacy(operation.command))
            asked_us = std::max(asked_us, operation.submitted.back().at_us);
        else if (last != nullptr && last->event->entries.front().operation_key == key)
            open_us = operation.submitted.front().at_us;
    }
    return asked_us >= 0 && asked_us + kSettled_us > open_us;
}

}  // namespace dyad::sim
