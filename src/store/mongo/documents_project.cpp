// Writing the documents of contexts: documents.hpp.
#include "base/log.hpp"
#include "store/mongo/bson/foreign_document.hpp"
#include "store/mongo/bson/wire_documents.hpp"
#include "store/mongo/documents.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace dyad::mongo {
namespace {

using Entry = ProjectRequest::Entry;
using Entries = std::vector<const Entry*>;

constexpr std::size_t kReadAtOnce = 32;                 // documents, of up to half a mebibyte
constexpr std::size_t kCommandBytes = 8 * 1024 * 1024;  // a command may have 16
constexpr int kRoundsMax = 8;

class Projection {
  public:
    Projection(Client& client, KnownDocuments& known, const ProjectRequest& request)
        : client_(client), known_(known), request_(request) {}

    Result<std::vector<ForeignDocument>> run() {
        TRY(write_unread());
        for (int round = 0; !left_.empty(); ++round) {
            if (round == kRoundsMax)
                return fail(Errc::storage_unavailable,
                            "others write the same documents all the time");
            TRY(write_read(std::exchange(left_, {})));
        }
        TRY(withdraw_what_is_over());
        if (foreign_.empty() && request_.end > 0) TRY(move_head());
        return std::move(foreign_);
    }

  private:
    Bson place_of(const Context& context) const {
        return Bson().text("userId", request_.user_id).text("contextKey", context.key);
    }

    Status write_unread();
    Status write_read(const Entries& entries);
    Status read(std::span<const Entry* const> entries, std::map<std::string, Bson>& found);
    Status decide(const Entry& entry, BsonView document);
    void leave(const Entry& entry, BsonView document);

    Status update(const Entry& entry, Bson filter, bool insert);
    Status remove(const Entry& entry, Bson filter);
    Status flush_updates();
    Status flush_removals();
    void wrote(const Entry& entry, BsonView document);

    Status withdraw_what_is_over();
    Status move_head();

    Client& client_;
    KnownDocuments& known_;
    const ProjectRequest& request_;
    std::vector<ForeignDocument> foreign_;
    Entries left_;      // to be read and decided
    Entries inserted_;  // where no document stood

    // Of the command that is being put together:
    std::vector<Update> updates_;
    Entries updated_;
    std::size_t update_bytes_ = 0;
    std::vector<Bson> removals_;
    Entries removed_;
};

// Where the document was last written by this process, or most likely none is there yet.
Status Projection::write_unread() {
    for (const Entry& entry : request_.entries) {
        const Context& context = *entry.context;
        const auto known = known_.find(request_.user_id, context.key);
        const bool is_new = context.created_at_ms == context.updated_at_ms && !context.deleted;
        if (entry.seen || (!known && !is_new)) {
            left_.push_back(&entry);
            continue;
        }
        if (known && known->offset >= context.offset) continue;
        Bson filter = place_of(context);
        if (known) {
            filter.number("dyad.offset", static_cast<std::int64_t>(known->offset))
                .number("dyad.check", known->check)
                .number("metadata.version", static_cast<std::int64_t>(known->version))
                .date("updatedAt", known->updated_at_ms);
        } else {
            filter.number("dyad.offset", -1);  // none has it
        }
        TRY(context.deleted ? remove(entry, std::move(filter))
                            : update(entry, std::move(filter), true));
    }
    TRY(flush_updates());
    return flush_removals();
}

Status Projection::write_read(const Entries& entries) {
    for (std::size_t i = 0; i < entries.size(); i += kReadAtOnce) {
        const auto some = std::span(entries).subspan(i, std::min(kReadAtOnce, entries.size() - i));
        std::map<std::string, Bson> found;
        TRY(read(some, found));
        for (const Entry* const entry : some) {
            const Context& context = *entry->context;
            const auto at = found.find(context.key);
            if (at != found.end())
                TRY(decide(*entry, at->second.view()));
            else if (!context.deleted)
                TRY(update(*entry, place_of(context).number("dyad.offset", -1), true));
        }
        TRY(flush_updates());
        TRY(flush_removals());
    }
    return Done{};
}

Status Projection::read(std::span<const Entry* const> entries, std::map<std::string, Bson>& found) {
    std::vector<std::string> keys;
    for (const Entry* const entry : entries)
        keys.push_back(entry->context->key);
    const Bson filter =
        Bson().text("userId", request_.user_id).sub("contextKey", Bson().texts("$in", keys));
    return client_.each(kContexts, filter, {}, [&](BsonView document) {
        found.insert_or_assign(std::string(document.text("contextKey").value_or("")),
                               Bson::copy_of(document.get()));
        return true;
    });
}

Status Projection::decide(const Entry& entry, BsonView document) {
    if (offset_of(document) >= entry.context->offset) return Done{};
    if (!is_ours(document) && entry.seen != std::optional(fingerprint_of(document))) {
        leave(entry, document);
        return Done{};
    }
    // As it was read, member by member.
    Bson filter = place_of(*entry.context);
    filter.value("_id", *document.find("_id"));
    Bson same;
    same.text("0", "$$ROOT").sub("1", Bson().sub("$literal", Bson::copy_of(document.get())));
    filter.sub("$expr", Bson().array("$eq", same));
    return entry.context->deleted ? remove(entry, std::move(filter))
                                  : update(entry, std::move(filter), false);
}

void Projection::leave(const Entry& entry, BsonView document) {
    known_.forget(request_.user_id, entry.context->key);
    Result<ForeignDocument> found = foreign_document(request_.user_id, document);
    if (found)
        foreign_.push_back(*std::move(found));
    else
        log::warn(kLogScope,
                  "what another instance wrote in a context's place is none, and is left as it "
                  "is: " +
                      found.error().to_string());
}

Status Projection::update(const Entry& entry, Bson filter, bool insert) {
    ASSIGN_OR_RETURN(Bson document, context_document(request_.user_id, *entry.context));
    const std::size_t bytes = filter.bytes() + document.bytes();
    if (update_bytes_ + bytes > kCommandBytes) TRY(flush_updates());
    update_bytes_ += bytes;
    updates_.push_back(
        {.filter = std::move(filter), .change = std::move(document), .upsert = insert});
    updated_.push_back(&entry);
    return Done{};
}

Status Projection::remove(const Entry& entry, Bson filter) {
    if (filter.bytes() > kCommandBytes / kReadAtOnce) TRY(flush_removals());
    removals_.push_back(std::move(filter));
    removed_.push_back(&entry);
    return Done{};
}

// The server says of each that failed and of each that was inserted; of the others only how many
// matched.
Status Projection::flush_updates() {
    if (updates_.empty()) return Done{};
    const std::vector<Update> updates = std::exchange(updates_, {});
    const Entries entries = std::exchange(updated_, {});
    update_bytes_ = 0;
    ASSIGN_OR_RETURN(const Written written, client_.update(kContexts, updates));
    enum class Fate : std::uint8_t { unknown, failed, inserted };
    std::vector<Fate> fates(updates.size(), Fate::unknown);
    for (const Written::Failure& failure : written.failures) {
        if (failure.code != kDuplicateKey) return fail(Errc::internal, "MongoDB: " + failure.text);
        fates.at(failure.index) = Fate::failed;
    }
    for (const std::size_t index : written.inserted)
        fates.at(index) = Fate::inserted;
    const bool all_matched =
        static_cast<std::size_t>(written.count) + written.failures.size() == updates.size();
    for (std::size_t i = 0; i < updates.size(); ++i) {
        if (fates[i] == Fate::inserted) inserted_.push_back(entries[i]);
        if (fates[i] == Fate::inserted || (fates[i] == Fate::unknown && all_matched))
            wrote(*entries[i], updates[i].change.view());
        else
            left_.push_back(entries[i]);
    }
    return Done{};
}

Status Projection::flush_removals() {
    if (removals_.empty()) return Done{};
    const std::vector<Bson> removals = std::exchange(removals_, {});
    const Entries entries = std::exchange(removed_, {});
    ASSIGN_OR_RETURN(const Written written, client_.remove(kContexts, removals));
    const bool all = static_cast<std::size_t>(written.count) == removals.size();
    for (const Entry* const entry : entries) {
        known_.forget(request_.user_id, entry->context->key);
        if (!all) left_.push_back(entry);
    }
    return Done{};
}

void Projection::wrote(const Entry& entry, BsonView document) {
    const Context& context = *entry.context;
    known_.wrote(request_.user_id, context.key,
                 {.offset = context.offset,
                  .check = document.number("dyad.check").value_or(0),
                  .updated_at_ms = context.updated_at_ms,
                  .version = context.version});
}

// A document was inserted where a later event, a deletion, may already have been written, which
// leaves nothing behind. Its event was in the log before.
Status Projection::withdraw_what_is_over() {
    if (inserted_.empty()) return Done{};
    std::map<std::string, const Entry*> by_scope;
    Offset least = UINT64_MAX;
    std::vector<std::string> scopes;
    for (const Entry* const entry : inserted_) {
        scopes.push_back("ctx:" + entry->context->key);
        by_scope[scopes.back()] = entry;
        least = std::min(least, entry->context->offset);
    }
    const Bson filter =
        Bson()
            .text("userId", request_.user_id)
            .sub("scope", Bson().texts("$in", scopes))
            .sub("offset",
                 Bson().number("$gt", static_cast<std::int64_t>(least)).number("$lte", INT64_MAX));
    Bson fields;
    fields.number("scope", 1).number("offset", 1).number("_id", 0);
    std::vector<const Context*> over;
    TRY(client_.each(kEvents, filter, {.fields = std::move(fields)}, [&](BsonView event) {
        const auto at = by_scope.find(std::string(event.text("scope").value_or("")));
        if (at == by_scope.end()) return true;
        const Context& context = *at->second->context;
        const auto offset = static_cast<std::int64_t>(context.offset);
        if (event.number("offset").value_or(0) <= offset) return true;
        over.push_back(&context);
        by_scope.erase(at);
        return true;
    }));
    for (const Context* const context : over) {
        known_.forget(request_.user_id, context->key);
        // Who set fields in it since has left the offset behind: that is not over.
        ASSIGN_OR_RETURN(const Bson document, context_document(request_.user_id, *context));
        removals_.push_back(
            place_of(*context)
                .number("dyad.offset", static_cast<std::int64_t>(context->offset))
                .number("dyad.check", *document.view().number("dyad.check"))
                .number("metadata.version", static_cast<std::int64_t>(context->version))
                .date("updatedAt", context->updated_at_ms));
    }
    if (removals_.empty()) return Done{};
    TRY(client_.remove(kContexts, std::exchange(removals_, {})));
    return Done{};
}

Status Projection::move_head() {
    const Bson end = Bson().number("documents", static_cast<std::int64_t>(request_.end));
    const Update move{.filter = Bson().text("_id", request_.user_id),
                      .change = Bson().sub("$max", end),
                      .upsert = true};
    ASSIGN_OR_RETURN(const Written written, client_.update(kHeads, {&move, 1}));
    if (written.failures.empty()) return Done{};
    // Somebody has made it at the same moment: it is moved with the next projection.
    if (written.failures.front().code == kDuplicateKey) return Done{};
    return fail(Errc::internal, "MongoDB: " + written.failures.front().text);
}

}  // namespace

Result<std::vector<ForeignDocument>> project(Client& client, KnownDocuments& known,
                                             const ProjectRequest& request) {
    return Projection(client, known, request).run();
}

}  // namespace dyad::mongo
