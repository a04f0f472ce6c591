#include "store/mongo/documents.hpp"

#include "base/bytes.hpp"
#include "base/hash64.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "base/utf8.hpp"
#include "model/identity.hpp"
#include "store/mongo/bson/bson_json.hpp"
#include "store/mongo/bson/event_documents.hpp"
#include "store/mongo/bson/foreign_document.hpp"
#include "store/mongo/bson/wire_documents.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

namespace dyad::mongo {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

std::uint64_t name_of(const std::string& user_id, const std::string& key) {
    return std::max<std::uint64_t>(hash64(key, hash64(user_id)), 1);
}

}  // namespace

// Two documents that share a slot, or even a name, cost a read: what is known of one does not match
// the other.
std::optional<KnownDocuments::Known> KnownDocuments::find(const std::string& user_id,
                                                          const std::string& key) const {
    const std::uint64_t name = name_of(user_id, key);
    const MutexLock held(mutex_);
    const Slot& slot = slots_[name % kSlots];
    return slot.name == name ? std::optional(slot.known) : std::nullopt;
}

void KnownDocuments::wrote(const std::string& user_id, const std::string& key, const Known& known) {
    const std::uint64_t name = name_of(user_id, key);
    const MutexLock held(mutex_);
    slots_[name % kSlots] = {name, known};
}

void KnownDocuments::forget(const std::string& user_id, const std::string& key) {
    const std::uint64_t name = name_of(user_id, key);
    const MutexLock held(mutex_);
    if (slots_[name % kSlots].name == name) slots_[name % kSlots] = {};
}

std::string KnownDocuments::look_after(const std::string& user_id) const {
    const MutexLock held(mutex_);
    const auto at = looks_.find(user_id);
    return at == looks_.end() ? std::string() : at->second;
}

void KnownDocuments::looked_up_to(const std::string& user_id, std::string key) {
    const MutexLock held(mutex_);
    if (key.empty()) {
        looks_.erase(user_id);
        return;
    }
    if (looks_.size() >= kLooksMax) looks_.clear();
    looks_.insert_or_assign(user_id, std::move(key));
}

Result<ForeignDocument> foreign_document(const std::string& user_id, BsonView document) {
    ASSIGN_OR_RETURN(Context context, context_of(document));
    return ForeignDocument{.user_id = user_id,
                           .context = std::make_shared<const Context>(std::move(context)),
                           .fingerprint = fingerprint_of(document)};
}

namespace {

// The documents that are not as we wrote them, as far as the server can tell by itself.
Bson foreign_filter(Bson whose) {
    const auto differ = [](const char* theirs, const char* ours) {
        return Bson().array("$ne", Bson().text("0", theirs).text("1", ours));
    };
    const Bson never_ours = Bson().sub("dyad.check", Bson().flag("$exists", false));
    const Bson written_since =
        Bson().array("$or", Bson()
                                .sub("0", differ("$updatedAt", "$dyad.updatedAt"))
                                .sub("1", differ("$metadata.version", "$dyad.version")));
    whose.array("$or", Bson().sub("0", never_ours).sub("1", Bson().sub("$expr", written_since)));
    return whose;
}

class Look {
  public:
    Look(Client& client, KnownDocuments& known, std::span<const std::string> user_ids)
        : client_(client), known_(known) {
        for (const std::string& user_id : user_ids) {
            places_.try_emplace(user_id, looks_.size());
            looks_.push_back({.user_id = user_id, .foreign = {}});
        }
    }

    // What is projected is read first: what is found afterwards may be newer, never older.
    Result<std::vector<DocumentsLook>> run() {
        if (looks_.empty()) return std::move(looks_);
        TRY(read_heads());
        std::vector<std::string> from_the_first;
        for (const DocumentsLook& look : looks_) {
            std::string after = known_.look_after(look.user_id);
            if (after.empty())
                from_the_first.push_back(look.user_id);
            else
                TRY(go_on(look.user_id, after));
        }
        if (from_the_first.empty()) return std::move(looks_);
        const Bson whose = Bson().sub("userId", Bson().texts("$in", from_the_first));
        ASSIGN_OR_RETURN(const Cut cut, read(whose));
        if (!cut.key.empty()) known_.looked_up_to(cut.user_id, cut.key);
        return std::move(looks_);
    }

  private:
    // Where it was too much; without a key: nowhere.
    struct Cut {
        std::string user_id;
        std::string key;
    };

    Status read_heads() {
        std::vector<std::string> ids;
        for (const DocumentsLook& look : looks_)
            ids.push_back(look.user_id);
        return client_.each(kHeads, Bson().sub("_id", Bson().texts("$in", ids)),
                            {.fields = Bson().number("documents", 1)}, [&](BsonView head) {
                                const auto at =
                                    places_.find(std::string(head.text("_id").value_or("")));
                                if (at != places_.end())
                                    looks_[at->second].projected =
                                        static_cast<Offset>(head.number("documents").value_or(0));
                                return true;
                            });
    }

    Status go_on(const std::string& user_id, const std::string& after) {
        const Bson whose =
            Bson().text("userId", user_id).sub("contextKey", Bson().text("$gt", after));
        ASSIGN_OR_RETURN(Cut cut, read(whose));
        known_.looked_up_to(user_id, std::move(cut.key));
        return Done{};
    }

    Result<Cut> read(const Bson& whose) {
        Cut cut;
        std::size_t bytes = 0;
        const auto take = [&](BsonView document) {
            const auto user = document.text("userId");
            const auto at = user ? places_.find(std::string(*user)) : places_.end();
            if (at == places_.end() || is_ours(document)) return true;
            Result<ForeignDocument> found = foreign_document(at->first, document);
            if (!found) {
                log::debug(kLogScope, "what another instance wrote is no context: " +
                                          found.error().to_string());
                return true;
            }
            bytes += document.get()->len;
            looks_[at->second].foreign.push_back(*std::move(found));
            if (bytes <= static_cast<std::size_t>(limits::page_bytes_max)) return true;
            cut = {at->first, looks_[at->second].foreign.back().context->key};
            return false;
        };
        TRY(client_.each(kContexts, foreign_filter(whose),
                         {.sort = Bson().number("userId", 1).number("contextKey", 1)}, take));
        return cut;
    }

    Client& client_;
    KnownDocuments& known_;
    std::vector<DocumentsLook> looks_;
    std::unordered_map<std::string, std::size_t> places_;  // of users in looks_
};

Result<ForeignTransition> transition_of(BsonView document) {
    ForeignTransition transition;
    ModeState& state = transition.state;
    const auto id = document.find("_id");
    const auto to = by_name<Mode>(document.text("toMode").value_or(""));
    const std::string_view instance = document.text("instanceId").value_or("");
    TRY(check_name("instanceId", instance, limits::instance_id_bytes_max, NameRule::identity));
    if (!id || !to) return fail(Errc::invalid_field, "toMode: must be " + any_of_names<Mode>());
    const Bson name = Bson().value("_id", *id);
    transition.id = to_hex(std::span(bson_get_data(name.get()), name.bytes()));
    state.instance_id = instance;
    state.previous = by_name<Mode>(document.text("fromMode").value_or(""));
    state.current = *to;
    state.updated_at_ms = document.date("timestamp").value_or(0);
    state.transition_duration_ms = std::clamp<std::int64_t>(
        static_cast<std::int64_t>(document.real("transitionDuration").value_or(0)), 0, kDayMs);
    state.success = document.flag("success").value_or(true);
    if (!state.success) state.attempted = *to;
    if (const auto message = document.text("errorMessage"); message && valid_utf8(*message))
        state.error_message = *message;
    const auto snapshot = document.find("contextSnapshot");
    if (snapshot && snapshot->type() != BSON_TYPE_NULL) {
        ASSIGN_OR_RETURN(state.context_snapshot, json_of(*snapshot));
    }
    return transition;
}

}  // namespace

Result<std::vector<DocumentsLook>> look(Client& client, KnownDocuments& known,
                                        std::span<const std::string> user_ids) {
    return Look(client, known, user_ids).run();
}

Result<std::vector<ForeignTransition>> foreign_transitions(Client& client,
                                                           const std::string& user_id,
                                                           std::int64_t limit) {
    std::vector<ForeignTransition> found;
    const Bson filter = Bson()
                            .text("userId", user_id)
                            .null("dyad.check")
                            .sub("dyad", Bson().flag("$exists", false));
    TRY(client.each(kTransitions, filter, {.sort = Bson().number("timestamp", 1)},
                    [&](BsonView document) {
                        Result<ForeignTransition> one = transition_of(document);
                        if (one)
                            found.push_back(*std::move(one));
                        else
                            log::debug(kLogScope, "what another instance wrote is no transition: " +
                                                      one.error().to_string());
                        return std::ssize(found) < limit;
                    }));
    return found;
}

Status mark_adopted(Client& client, const std::string& transition_id, Offset offset) {
    std::vector<std::uint8_t> bytes(transition_id.size() / 2);
    bson_t id;
    CHECK(read_hex(transition_id, bytes) && bson_init_static(&id, bytes.data(), bytes.size()));
    Bson dyad;
    dyad.number("check", 0);
    if (offset != 0) dyad.number("offset", signed_bits(offset));
    const Bson theirs = Bson::copy_of(&id).sub("dyad", Bson().flag("$exists", false));
    const Update mark{.filter = theirs, .change = Bson().sub("$set", Bson().sub("dyad", dyad))};
    ASSIGN_OR_RETURN(const Written written, client.update(kTransitions, {&mark, 1}));
    if (written.failures.empty()) return Done{};
    if (!written.failures.front().of_index("dyad.offset"))
        return fail(Errc::internal, "MongoDB: " + written.failures.front().text);
    // The event's own document is there already, and says the same.
    TRY(client.remove(kTransitions, theirs));
    return Done{};
}

}  // namespace dyad::mongo
