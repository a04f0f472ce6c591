// The points that the log alone, and the answers, decide.
#include "sim/checker.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace dyad::sim {
namespace {

std::string name_of(const Operation& operation) {
    return operation.user_id + " " + operation.command.instance_id + "/" +
           operation.command.operation_id;
}

bool ignored(const Reply& reply) {
    return reply.result.find("\"ignored\":true") != std::string::npos;
}

bool is_of(const LogEntry& entry, const Operation& operation) {
    const Result<EventView> view = decode_event(entry.event->texts);
    return view && view->source_instance_id == operation.command.instance_id &&
           view->operation_id == operation.command.operation_id;
}

// How long a process may not know yet that a backup was put in place under it.
constexpr std::int64_t kUnawareUs = 20'000'000;

}  // namespace

void check_dense_offsets(const Evidence& evidence, Violations& out) {
    for (const auto& [user_id, log] : evidence.final_logs)
        for (std::size_t i = 0; i < log.size(); ++i)
            if (log[i]->event->first != i + 1)
                out.push_back({2, user_id + ": offset " + std::to_string(log[i]->event->first) +
                                      " stands where " + std::to_string(i + 1) + " belongs"});
}

void check_chain(const Evidence& evidence, Violations& out) {
    for (const auto& [user_id, log] : evidence.final_logs) {
        const LogEntry* previous = nullptr;
        for (const LogEntry* entry : log) {
            const EventBatch& event = *entry->event;
            const Hash expected = previous ? previous->event->entries.back().hash
                                           : genesis_hash(user_id, event.epoch);
            const Status verified = verify_batch(event);
            if (!verified)
                out.push_back({8, user_id + ": " + verified.error().to_string()});
            else if (event.prev_hash != expected)
                out.push_back({8, user_id + ": event " + std::to_string(event.first) +
                                      " does not chain to the one before it"});
            previous = entry;
        }
    }
}

void check_timestamps(const Evidence& evidence, Violations& out) {
    for (const auto& [user_id, log] : evidence.final_logs)
        for (std::size_t i = 1; i < log.size(); ++i)
            if (log[i]->event->entries.front().timestamp_ms <
                log[i - 1]->event->entries.front().timestamp_ms)
                out.push_back({9, user_id + ": the time goes back at offset " +
                                      std::to_string(log[i]->event->first)});
}

// The operation was in the log before it was sent once more, and this is the answer to that.
bool is_repeat(const Evidence& evidence, const Operation& operation, const Answer& answer,
               const LogEntry& entry) {
    return !operation.misuse && evidence.history.restores.empty() &&
           answer.submission < operation.submitted.size() &&
           entry.journaled_us < operation.submitted[answer.submission].at_us;
}

void check_operations_in_log(const Evidence& evidence, Violations& out) {
    using Id = std::array<std::string, 3>;
    std::map<Id, std::vector<const LogEntry*>> in_log;
    for (const auto& [user_id, log] : evidence.final_logs)
        for (const LogEntry* entry : log)
            if (const Result<EventView> view = decode_event(entry->event->texts))
                in_log[{user_id, view->source_instance_id, view->operation_id}].push_back(entry);
    for (const auto& [id, entries] : in_log)
        if (entries.size() > 1)
            out.push_back({1, id[0] + " " + id[1] + "/" + id[2] + " is in the log " +
                                  std::to_string(entries.size()) + " times, at " +
                                  std::to_string(entries[0]->event->first) + " and " +
                                  std::to_string(entries[1]->event->first)});
    std::set<Id> ever_logged;  // and perhaps lost by a restore
    for (const auto& [at, entries] : evidence.all_events)
        for (const LogEntry* entry : entries)
            if (const Result<EventView> view = decode_event(entry->event->texts))
                ever_logged.insert({at.first, view->source_instance_id, view->operation_id});
    for (const Operation& operation : evidence.history.operations) {
        const Id found_id{operation.user_id, operation.command.instance_id,
                          operation.command.operation_id};
        const auto found = in_log.find(found_id);
        bool rejected = false;
        for (const Answer& answer : operation.answers) {
            if (const auto* rejection = std::get_if<Rejection>(&answer.result)) {
                const bool applied = rejection->error.code == Errc::already_applied;
                const bool refused = !applied && !error_row(rejection->error.code).retry;
                rejected = rejected || refused;
                if (refused && found != in_log.end() &&
                    is_repeat(evidence, operation, answer, *found->second.front()))
                    out.push_back({1, name_of(operation) + " was rejected (" +
                                          std::string(error_row(rejection->error.code).name) +
                                          "), though it was in the log already"});
                if (applied && !ever_logged.contains(found_id))
                    out.push_back({1, name_of(operation) + " was said to have been applied, and "
                                                           "never was"});
                continue;
            }
            const Reply& reply = std::get<Reply>(answer.result);
            if (ignored(reply)) continue;
            if (operation.misuse) {
                out.push_back({1, name_of(operation) + " was acknowledged, though its id belongs "
                                                       "to another operation"});
                continue;
            }
            const LogEntry* entry =
                evidence.at(operation.user_id, reply.position.offset, reply.position.hash);
            const bool lost = entry != nullptr && entry->lost_us != kNever &&
                              answer.at_us < entry->lost_us + kUnawareUs;
            if (entry == nullptr || (entry->lost_us != kNever && !lost))
                out.push_back({1, name_of(operation) + " was acknowledged at offset " +
                                      std::to_string(reply.position.offset) +
                                      ", where the log does not have it"});
            else if (!is_of(*entry, operation))
                out.push_back({1, name_of(operation) +
                                      " was acknowledged with the position of "
                                      "another operation, offset " +
                                      std::to_string(reply.position.offset)});
        }
        // A rejection is not logged: sent twice, the second try may well be accepted.
        if (rejected && operation.submissions == 1 && !operation.misuse &&
            evidence.history.restores.empty() && found != in_log.end())
            out.push_back({1, name_of(operation) + " was rejected, and is in the log at offset " +
                                  std::to_string(found->second.front()->event->first)});
    }
}

void check_accepted_bases(const Evidence& evidence, Violations& out) {
    using Id = std::array<std::string, 3>;
    std::map<Id, const Operation*> operations;
    for (const Operation& operation : evidence.history.operations)
        if (!operation.misuse)
            operations[{operation.user_id, operation.command.instance_id,
                        operation.command.operation_id}] = &operation;
    for (const auto& [user_id, log] : evidence.final_logs) {
        std::map<std::string, ContextPtr> contexts;
        std::map<std::string, Version> modes;
        for (const LogEntry* entry : log) {
            const Result<EventView> view = decode_event(entry->event->texts);
            if (!view) continue;
            const auto at =
                operations.find({user_id, view->source_instance_id, view->operation_id});
            const Operation* operation = at == operations.end() ? nullptr : at->second;
            const std::string where = user_id + ": offset " + std::to_string(view->offset) + ", ";
            if (const auto* change = std::get_if<ContextChange>(&entry->change)) {
                ContextPtr& stored = contexts[change->context->key];
                const Version base = stored ? stored->version : 0;
                const Version alive = stored && !stored->deleted ? stored->version : 0;
                if (change->previous_version != base)
                    out.push_back({5, where + change->context->key + " says it follows version " +
                                          std::to_string(change->previous_version) +
                                          ", and version " + std::to_string(base) +
                                          " is before it"});
                if (change->context->version <= base)
                    out.push_back({5, where + change->context->key + " goes from version " +
                                          std::to_string(base) + " to " +
                                          std::to_string(change->context->version)});
                if (operation != nullptr && operation->command.expected_version) {
                    const auto* put = std::get_if<PutContext>(&operation->command.body);
                    const bool merges =
                        put && (put->force || (put->strategy == MergeStrategy::merge && alive));
                    if (!merges && *operation->command.expected_version != alive)
                        out.push_back({5, where + name_of(*operation) + " expected version " +
                                              std::to_string(*operation->command.expected_version) +
                                              " and was accepted over version " +
                                              std::to_string(alive)});
                }
                stored = change->context;
            } else if (const auto* mode = std::get_if<ModeChange>(&entry->change)) {
                for (const std::string& id : mode->forgotten)
                    modes.erase(id);
                Version& stored = modes[mode->state.instance_id];
                if (mode->state.sync_version != stored + 1)
                    out.push_back({5, where + "the mode goes from version " +
                                          std::to_string(stored) + " to " +
                                          std::to_string(mode->state.sync_version)});
                if (operation != nullptr && operation->command.expected_version &&
                    *operation->command.expected_version != stored)
                    out.push_back({5, where + name_of(*operation) + " expected mode version " +
                                          std::to_string(*operation->command.expected_version) +
                                          " and was accepted over " + std::to_string(stored)});
                stored = mode->state.sync_version;
            }
        }
    }
}

void check_durable_first(const Evidence& evidence, Violations& out) {
    for (const Operation& operation : evidence.history.operations) {
        for (const Answer& answer : operation.answers) {
            const auto* reply = std::get_if<Reply>(&answer.result);
            if (reply == nullptr || ignored(*reply)) continue;
            const LogEntry* entry =
                evidence.at(operation.user_id, reply->position.offset, reply->position.hash);
            if (entry == nullptr) continue;
            if (answer.at_us < entry->journaled_us)
                out.push_back({11, name_of(operation) + " was acknowledged before offset " +
                                       std::to_string(reply->position.offset) + " was durable"});
            for (const Outage& outage : evidence.history.outages)
                if (answer.at_us > outage.from_us && answer.at_us < outage.to_us &&
                    entry->journaled_us > outage.from_us)
                    out.push_back({11, name_of(operation) + " was acknowledged while the store "
                                                            "was down"});
        }
    }
}

void check_real_time_order(const Evidence& evidence, Violations& out) {
    struct Placed {
        Offset offset;
        std::int64_t invoked_us;
        std::int64_t acknowledged_us;
        const Operation* operation;
    };
    std::map<std::string, std::vector<Placed>> users;
    for (const Operation& operation : evidence.history.operations) {
        for (const Answer& answer : operation.answers) {
            const auto* reply = std::get_if<Reply>(&answer.result);
            if (reply == nullptr || ignored(*reply)) continue;
            const LogEntry* entry =
                evidence.at(operation.user_id, reply->position.offset, reply->position.hash);
            if (entry == nullptr || entry->lost_us != kNever) continue;
            users[operation.user_id].push_back(
                {reply->position.offset, operation.invoked_us, answer.at_us, &operation});
            break;
        }
    }
    for (auto& [user_id, placed] : users) {
        std::sort(placed.begin(), placed.end(),
                  [](const Placed& a, const Placed& b) { return a.offset > b.offset; });
        const Placed* earliest = nullptr;  // acknowledged first, of those later in the log
        for (const Placed& one : placed) {
            if (earliest != nullptr && earliest->acknowledged_us < one.invoked_us)
                out.push_back({12, name_of(*one.operation) + " was begun after " +
                                       name_of(*earliest->operation) +
                                       " was acknowledged, and is before it in the log (" +
                                       std::to_string(one.offset) + " < " +
                                       std::to_string(earliest->offset) + ")"});
            if (earliest == nullptr || one.acknowledged_us < earliest->acknowledged_us)
                earliest = &one;
        }
    }
}

}  // namespace dyad::sim
