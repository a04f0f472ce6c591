// What existing instances wrote beside the log, and what the documents say in the end.
#include "sim/checker.hpp"

#include <algorithm>

namespace dyad::sim {
namespace {

struct Adoption {
    const LogEntry* entry;
    const ContextChange* change;
};

// The events of `write`'s content. Each content is written once.
std::vector<Adoption> adoptions_of(const Evidence& evidence, const ForeignWrite& write) {
    std::vector<Adoption> found;
    const auto log = evidence.final_logs.find(write.user_id);
    if (log == evidence.final_logs.end()) return found;
    for (const LogEntry* entry : log->second) {
        const auto* change = std::get_if<ContextChange>(&entry->change);
        if (change == nullptr || change->context->key != write.context->key) continue;
        const Result<EventView> view = decode_event(entry->event->texts);
        if (view && view->source_instance_id == kForeignInstance &&
            change->context->data == write.context->data)
            found.push_back({entry, change});
    }
    return found;
}

void check_write(const Evidence& evidence, const ForeignWrite& write, Violations& out) {
    const std::string who = write.user_id + ", what was written beside the log, " +
                            write.context->key + " " + write.context->data + ", ";
    const std::vector<Adoption> adoptions = adoptions_of(evidence, write);
    if (adoptions.size() > 1)
        out.push_back({16, who + "is in it " + std::to_string(adoptions.size()) + " times"});
    if (adoptions.empty()) {
        if (write.gone_us == kNever) out.push_back({16, who + "is not in it"});
        if (write.overwritten) out.push_back({16, who + "was overwritten unseen"});
        return;
    }
    const Adoption& adoption = adoptions.front();
    const Version expected =
        std::max(adoption.change->previous_version + 1, write.context->version);
    if (adoption.change->context->version != expected)
        out.push_back({16, who + "has version " +
                               std::to_string(adoption.change->context->version) + ", not " +
                               std::to_string(expected)});
    if (write.overwritten && write.gone_us < adoption.entry->journaled_us)
        out.push_back({16, who + "was overwritten before it was in the log"});
}

// Its duration tells which of them an event is of.
void check_mode(const Evidence& evidence, const ForeignMode& written, Violations& out) {
    int found = 0;
    if (const auto log = evidence.final_logs.find(written.user_id);
        log != evidence.final_logs.end())
        for (const LogEntry* entry : log->second)
            if (const auto* change = std::get_if<ModeChange>(&entry->change))
                found +=
                    change->state.instance_id == written.state.instance_id &&
                    change->state.current == written.state.current &&
                    change->state.transition_duration_ms == written.state.transition_duration_ms;
    if (found != 1)
        out.push_back({16, written.user_id + ", a mode written beside the log by " +
                               written.state.instance_id + ", is in it " + std::to_string(found) +
                               " times"});
}

}  // namespace

void check_foreign_writes(const Evidence& evidence, Violations& out) {
    const History& history = evidence.history;
    if (!history.has_documents) return;
    for (const ForeignWrite& write : history.foreign)
        check_write(evidence, write, out);
    for (const ForeignMode& written : history.foreign_modes)
        check_mode(evidence, written, out);
    std::map<std::pair<std::string, std::string>, const FinalDocument*> documents;
    for (const FinalDocument& document : history.documents)
        documents[{document.user_id, document.context->key}] = &document;
    for (const auto& [user_id, log] : evidence.final_logs) {
        std::map<std::string, ContextPtr> contexts;
        for (const LogEntry* entry : log) {
            const auto* change = std::get_if<ContextChange>(&entry->change);
            if (change == nullptr) continue;
            contexts[change->context->key] = change->context;
            if (entry->journaled_us > history.quiet_us) contexts.erase(change->context->key);
        }
        for (const auto& [key, context] : contexts) {
            const auto at = documents.find({user_id, key});
            const bool right = at != documents.end() && at->second->verifies &&
                               at->second->context->version == context->version &&
                               at->second->context->data == context->data;
            if (!right)
                out.push_back({16, user_id + ": the document of " + key +
                                       " does not say what the log says, " + context->data});
        }
    }
}

}  // namespace dyad::sim
