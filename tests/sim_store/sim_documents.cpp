#include "sim_store/sim_documents.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

namespace dyad::sim {

void SimDocuments::write(const std::string& user_id, const ContextPtr& context) {
    Document& document = documents_[{user_id, context->key}];
    document.context = context;
    document.verifies = false;
    document.writes += 1;
}

void SimDocuments::write(const std::string& user_id, const ModeState& state) {
    transitions_[user_id].push_back({"t" + std::to_string(++transitions_written_), state});
}

void SimDocuments::adopted(const std::string& user_id, const std::string& transition_id) {
    std::erase_if(transitions_[user_id],
                  [&](const ForeignTransition& one) { return one.id == transition_id; });
}

ForeignDocument SimDocuments::foreign(const std::string& user_id, const Document& document) {
    auto shown = std::make_shared<Context>(*document.context);
    if (flaws.hides_versions) shown->version = 0;
    const Fingerprint fingerprint = document.offset * 1'000'003 + document.writes * 7 + 1 +
                                    (flaws.takes_each_look_for_new ? ++looks_ << 32 : 0);
    return {.user_id = user_id, .context = std::move(shown), .fingerprint = fingerprint};
}

std::vector<ForeignDocument> SimDocuments::project(const ProjectRequest& request) {
    std::vector<ForeignDocument> in_the_way;
    for (const ProjectRequest::Entry& entry : request.entries) {
        const ContextPtr& context = entry.context;
        const std::pair place{request.user_id, context->key};
        const auto at = documents_.find(place);
        if (at != documents_.end()) {
            if (at->second.offset >= context->offset) continue;
            if (!at->second.verifies && !flaws.overwrites_foreign) {
                ForeignDocument found = foreign(request.user_id, at->second);
                if (entry.seen != std::optional(found.fingerprint)) {
                    if (!flaws.hides_foreign) in_the_way.push_back(std::move(found));
                    continue;
                }
            }
            if (overwritten) overwritten(request.user_id, at->second);
        }
        // What was deleted leaves its place, for whoever looks for the last event of it.
        Document& document = documents_[place];
        document.context = context;
        document.offset = context->offset;
        document.verifies = true;
    }
    if (flaws.goes_back)
        for (const ProjectRequest::Entry& entry :
             std::exchange(before_[request.user_id], request.entries))
            documents_[{request.user_id, entry.context->key}].context = entry.context;
    Offset& projected = projected_[request.user_id];
    if (in_the_way.empty()) projected = std::max(projected, request.end);
    return in_the_way;
}

DocumentsLook SimDocuments::look(const std::string& user_id) {
    DocumentsLook look{.user_id = user_id, .projected = projected_[user_id]};
    for (const auto& [place, document] : documents_)
        if (place.first == user_id && !document.verifies && !flaws.hides_foreign)
            look.foreign.push_back(foreign(user_id, document));
    if (!flaws.hides_transitions) look.transitions = transitions_[user_id];
    if (flaws.renames_transitions)
        for (ForeignTransition& one : look.transitions)
            one.id += "/" + std::to_string(++looks_);
    return look;
}

const SimDocuments::Document* SimDocuments::find(const std::string& user_id,
                                                 const std::string& key) const {
    const auto at = documents_.find({user_id, key});
    return at == documents_.end() ? nullptr : &at->second;
}

std::vector<std::string> SimDocuments::keys(const std::string& user_id) const {
    std::vector<std::string> keys;
    for (const auto& [place, document] : documents_)
        if (place.first == user_id) keys.push_back(place.second);
    return keys;
}

}  // namespace dyad::sim
