#include "core/projector.hpp"

#include "base/check.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "core/adoption.hpp"
#include "core/user_log.hpp"

#include <algorithm>

namespace dyad::core {
namespace {

constexpr std::size_t kEntriesMax = 256;
// Commits need the database, too: so many times as long as the last call took there is none of the
// same user, and what changes again meanwhile is written once.
constexpr std::int64_t kRestTimes = 16;
constexpr std::int64_t kRestMaxMs = 1000;
constexpr std::string_view kScope = "distributed_memory";

std::string operation_id_of(const ForeignDocument& document) {
    return adoption_id("adopt", as_hex(document.fingerprint) + ":" + document.context->key);
}

SetMode command_of(const ModeState& state) {
    return {.mode = state.attempted.value_or(state.current),
            .instance_id = state.instance_id,
            .configuration = state.configuration,
            .context_snapshot = state.context_snapshot,
            .transition_duration_ms = state.transition_duration_ms,
            .success = state.success,
            .error_message = state.error_message};
}

}  // namespace

bool Projector::is_on() const {
    return user_.heart().ports.documents != nullptr;
}

void Projector::changed(const Change& change, bool own) {
    const auto* context = std::get_if<ContextChange>(&change);
    if (context == nullptr || !is_on()) return;
    dirty_.insert(context->context->key);
    wanted_ = wanted_ || own;
}

// What became of the documents meanwhile is not known.
void Projector::loaded() {
    if (!is_on()) return;
    dirty_.clear();
    seen_.clear();
    refused_.clear();
    for (const auto& [key, context] : user_.state().contexts)
        dirty_.insert(key);
    user_.heart().look_at_documents(user_);
}

void Projector::take(const DocumentsLook& look) {
    CHECK(is_on() && look.user_id == user_.user_id());
    if (!user_.ready() || look.projected > user_.head().offset) return;  // more than is held yet
    std::erase_if(dirty_, [&](const std::string& key) {
        const ContextPtr context = user_.state().find(key);
        const Offset changed = context ? context->offset : user_.head().offset;
        return !seen_.contains(key) && changed <= look.projected;
    });
    wanted_ = wanted_ || !dirty_.empty();
    for (const ForeignDocument& document : look.foreign)
        adopt(document);
    for (const ForeignTransition& transition : look.transitions)
        adopt(transition);
    user_.mark_dirty();
}

void Projector::adopt(const ForeignDocument& document) {
    CHECK(document.context && !document.context->key.empty());
    const std::string& key = document.context->key;
    const auto is_in = [&](const std::map<std::string, Fingerprint>& known) {
        const auto at = known.find(key);
        return at != known.end() && at->second == document.fingerprint;
    };
    if (is_in(seen_) || is_in(refused_) || adopting_.contains(key)) return;
    adopting_[key] = document.fingerprint;
    submit(operation_id_of(document), AdoptContext{document.context},
           [this, key, fingerprint = document.fingerprint](const Answer& answer) {
               adopted(key, fingerprint, answer);
           });
}

void Projector::submit(std::string operation_id, CommandBody body, ReplyFn done) {
    Pending pending;
    pending.command = std::make_unique<Command>();
    pending.command->instance_id = kForeignInstance;
    pending.command->operation_id = std::move(operation_id);
    pending.command->body = std::move(body);
    pending.command->brief = true;
    pending.done = std::move(done);
    user_.writer().submit(std::move(pending));
}

// What is refused stays where it is; the next look finds it again.
void Projector::adopt(const ForeignTransition& transition) {
    CHECK(!transition.id.empty());
    if (!transitions_.insert(transition.id).second) return;
    submit(adoption_id("mode", transition.id), command_of(transition.state),
           [this, id = transition.id](const Answer& answer) {
               const auto* reply = std::get_if<Reply>(&answer);
               const auto* rejection = std::get_if<Rejection>(&answer);
               if (rejection != nullptr && rejection->error.code != Errc::already_applied) {
                   transitions_.erase(id);
                   return;
               }
               metrics::adoptions.add();
               user_.heart().ports.documents->adopted(
                   user_.user_id(), id, reply != nullptr ? reply->position.offset : 0,
                   user_.calls().wrap([this, id](const Result<Done>&) { transitions_.erase(id); }));
           });
}

void Projector::adopted(const std::string& key, Fingerprint fingerprint, const Answer& answer) {
    const bool was_adopting = adopting_.erase(key) == 1;
    CHECK(was_adopting);
    const auto* rejection = std::get_if<Rejection>(&answer);
    if (rejection == nullptr || rejection->error.code == Errc::already_applied) {
        metrics::adoptions.add();
        seen_[key] = fingerprint;
        dirty_.insert(key);
        wanted_ = true;
    } else if (!error_row(rejection->error.code).retry) {
        refused_[key] = fingerprint;
        log::warn(kScope,
                  "what another instance wrote to a context cannot be taken over, and is "
                  "left as it is: " +
                      rejection->error.to_string());
    }
    user_.mark_dirty();
}

// That it was deleted is all that is left of it; its document may still have to go.
ContextPtr Projector::forgotten(const std::string& key) const {
    auto context = std::make_shared<Context>();
    context->key = key;
    context->version = user_.state().forgotten_version;
    context->deleted = true;
    context->offset = user_.head().offset;
    return context;
}

void Projector::flush() {
    if (!is_on() || under_way_ || !wanted_ || dirty_.empty() || !user_.ready()) return;
    if (retry_at_ms_ != INT64_MAX) return;
    const std::int64_t now_ms = user_.heart().steady_ms();
    if (now_ms < rest_until_ms_) {
        retry_at_ms_ = rest_until_ms_;
        return user_.look_by(retry_at_ms_);
    }
    auto request = std::make_shared<ProjectRequest>();
    request->user_id = user_.user_id();
    for (const std::string& key : dirty_) {
        if (adopting_.contains(key)) continue;
        ContextPtr context = user_.state().find(key);
        if (!context) context = forgotten(key);
        const auto seen = seen_.find(key);
        request->entries.push_back(
            {std::move(context), seen != seen_.end() ? std::optional(seen->second) : std::nullopt});
        if (request->entries.size() == kEntriesMax) break;
    }
    if (request->entries.empty()) return;
    if (request->entries.size() == dirty_.size()) request->end = user_.head().offset;
    under_way_ = true;
    began_ms_ = now_ms;
    user_.heart().ports.documents->project(
        *request,
        user_.calls().wrap([this, request](const Result<std::vector<ForeignDocument>>& answer) {
            under_way_ = false;
            projected(*request, answer);
            user_.mark_dirty();
        }));
}

void Projector::projected(const ProjectRequest& request,
                          const Result<std::vector<ForeignDocument>>& in_the_way) {
    const std::int64_t now_ms = user_.heart().steady_ms();
    rest_until_ms_ = now_ms + std::min(kRestMaxMs, kRestTimes * (now_ms - began_ms_));
    if (!in_the_way) {
        retry_at_ms_ = now_ms + user_.heart().config.poll_ms;
        return user_.look_by(retry_at_ms_);
    }
    for (const ForeignDocument& document : *in_the_way)
        adopt(document);
    for (const ProjectRequest::Entry& entry : request.entries) {
        const std::string& key = entry.context->key;
        const auto at = std::find_if(
            in_the_way->begin(), in_the_way->end(),
            [&](const ForeignDocument& document) { return document.context->key == key; });
        const ContextPtr now = user_.state().find(key);
        if (at != in_the_way->end()) {
            const auto refused = refused_.find(key);
            if (refused != refused_.end() && refused->second == at->fingerprint) dirty_.erase(key);
            continue;
        }
        if (entry.seen) seen_.erase(key);
        const bool same = now ? now->offset == entry.context->offset : entry.context->deleted;
        if (same) dirty_.erase(key);
    }
    if (dirty_.empty()) wanted_ = false;
}

void Projector::tick(std::int64_t now_ms) {
    if (now_ms < retry_at_ms_) return;
    retry_at_ms_ = INT64_MAX;
    user_.mark_dirty();
}

}  // namespace dyad::core
