#include "store/mongo/archive_reads.hpp"

#include "search/match.hpp"

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace dyad::mongo {
namespace {

// Bounded on both sides, so that every server reads this part of an index and no more.
Bson before(const PageRequest& page) {
    constexpr Offset kNone = static_cast<Offset>(std::numeric_limits<std::int64_t>::max());
    const Offset end = page.before == 0 ? kNone : std::min(page.before, kNone);
    return Bson().number("$gt", 0).number("$lt", static_cast<std::int64_t>(end));
}

FindOptions page_of(std::string_view order, std::string_view text, std::size_t limit) {
    constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
    return {.sort = Bson().number(order, -1),
            .fields = Bson().number(order, 1).number(text, 1),
            .limit = static_cast<std::int64_t>(std::min(limit, kMost))};
}

// Calls `take` with each document until it fails.
Status each(Client& client, std::string_view collection, const Bson& filter,
            const FindOptions& options, const std::function<Status(BsonView)>& take) {
    Status good = Done{};
    TRY(client.each(collection, filter, options, [&](BsonView document) {
        good = take(document);
        return good.has_value();
    }));
    return good;
}

Result<std::string_view> text_at(BsonView document, std::string_view path) {
    const auto text = document.text(path);
    if (!text) return fail(Errc::storage_damaged, "a document without " + std::string(path));
    return *text;
}

Result<HistoryItem> item_of(BsonView document) {
    ASSIGN_OR_RETURN(const std::string_view text, text_at(document, "text"));
    ASSIGN_OR_RETURN(const EventView event, decode_event(text));
    ASSIGN_OR_RETURN(const Change change, decode_change(event));
    const auto* const context = std::get_if<ContextChange>(&change);
    if (context == nullptr)
        return fail(Errc::storage_damaged, "an event of a context changes none");
    return HistoryItem{.offset = event.offset,
                       .timestamp_ms = event.timestamp_ms,
                       .action = context->action,
                       .context = context->context};
}

Bson events_of(const std::string& user_id, const std::string& key) {
    return Bson().text("userId", user_id).text("scope", "ctx:" + key);
}

Error no_version(const std::string& key, Version version) {
    return fail(Errc::not_found, "context " + key + " has no version " + std::to_string(version));
}

}  // namespace

Result<std::vector<HistoryItem>> ArchiveReads::history(const std::string& user_id,
                                                       const std::string& key, PageRequest page) {
    std::vector<HistoryItem> items;
    if (page.limit == 0) return items;
    const Bson filter = events_of(user_id, key).sub("offset", before(page));
    TRY(each(client_, kEvents, filter, page_of("offset", "text", page.limit),
             [&](BsonView document) -> Status {
                 ASSIGN_OR_RETURN(HistoryItem item, item_of(document));
                 items.push_back(std::move(item));
                 return Done{};
             }));
    return items;
}

Result<ContextPtr> ArchiveReads::current(const std::string& user_id, const std::string& key) {
    const Bson filter = Bson().text("userId", user_id).text("kind", "context").text("name", key);
    ASSIGN_OR_RETURN(const auto found, client_.find_one(kState, filter));
    if (!found) return ContextPtr();
    ASSIGN_OR_RETURN(const std::string_view text, text_at(found->view(), "text"));
    ASSIGN_OR_RETURN(Context context, read_context(text));
    return std::make_shared<const Context>(std::move(context));
}

Result<ContextPtr> ArchiveReads::version(const std::string& user_id, const std::string& key,
                                         Version version) {
    const Result<ContextPtr> now = current(user_id, key);
    if (!now || (*now && (*now)->version == version)) return now;
    if (version == 0 || !*now || version > (*now)->version) return no_version(key, version);
    return past_version(user_id, key, version);
}

// Versions grow: the newest event that is not beyond the one that is wanted is that one, or it
// never was.
Result<ContextPtr> ArchiveReads::past_version(const std::string& user_id, const std::string& key,
                                              Version version) {
    const auto most = static_cast<std::int64_t>(version);
    const Bson filter = events_of(user_id, key)
                            .sub("offset", before({}))
                            .sub("version", Bson().number("$lte", most));
    ASSIGN_OR_RETURN(const auto found,
                     client_.find_one(kEvents, filter, page_of("offset", "text", 1)));
    if (found) {
        ASSIGN_OR_RETURN(const HistoryItem item, item_of(found->view()));
        if (item.context->version == version) return item.context;
        return no_version(key, version);
    }
    ASSIGN_OR_RETURN(const auto head, client_.find_one(kHeads, Bson().text("_id", user_id)));
    const std::int64_t first_kept = head ? head->view().number("firstKept").value_or(1) : 1;
    if (first_kept <= 1) return no_version(key, version);
    return fail(Errc::history_gone, "the log begins at event " + std::to_string(first_kept) +
                                        "; this version is older");
}

Result<std::vector<Transition>> ArchiveReads::transitions(
    const std::string& user_id, const std::optional<std::string>& instance_id, PageRequest page) {
    std::vector<Transition> found;
    if (page.limit == 0) return found;
    Bson filter;
    filter.text("userId", user_id).sub("dyad.offset", before(page));
    // One that an existing instance wrote is replaced by that of its event.
    filter.sub("dyad.text", Bson().flag("$exists", true));
    if (instance_id) filter.text("instanceId", *instance_id);
    TRY(each(client_, kTransitions, filter, page_of("dyad.offset", "dyad.text", page.limit),
             [&](BsonView document) -> Status {
                 ASSIGN_OR_RETURN(const std::string_view text, text_at(document, "dyad.text"));
                 ASSIGN_OR_RETURN(ModeState state, read_mode(text));
                 const auto offset = document.number("dyad.offset").value_or(0);
                 found.push_back({static_cast<Offset>(offset), std::move(state)});
                 return Done{};
             }));
    return found;
}

Result<std::vector<ResponseRecord>> ArchiveReads::responses(const std::string& user_id,
                                                            const ResponseFilter& filter,
                                                            PageRequest page) {
    std::vector<ResponseRecord> records;
    if (page.limit == 0) return records;
    Bson wanted;
    wanted.text("userId", user_id).sub("dyad.offset", before(page));
    if (filter.chat_id) wanted.text("chatId", *filter.chat_id);
    if (filter.message_id) wanted.text("messageId", *filter.message_id);
    if (filter.provider)
        wanted.array("$or", Bson()
                                .sub("0", Bson().text("provider", *filter.provider))
                                .sub("1", Bson().text("sources.provider", *filter.provider)));
    TRY(each(client_, kResponses, wanted, page_of("dyad.offset", "dyad.text", page.limit),
             [&](BsonView document) -> Status {
                 ASSIGN_OR_RETURN(const std::string_view text, text_at(document, "dyad.text"));
                 ASSIGN_OR_RETURN(ResponseRecord record, read_response(text));
                 records.push_back(std::move(record));
                 return Done{};
             }));
    return records;
}

// Only as many hits are held as are wanted, twice at most.
Result<std::vector<SearchHit>> ArchiveReads::search(const std::string& user_id,
                                                    const std::string& query, std::size_t limit) {
    ASSIGN_OR_RETURN(const search::Query parsed, search::Query::parse(query));
    std::vector<SearchHit> hits;
    if (limit == 0) return hits;
    const auto keep_the_best = [&] {
        std::sort(hits.begin(), hits.end(), is_better);
        if (hits.size() > limit) hits.resize(limit);
    };
    const Bson filter = Bson()
                            .text("userId", user_id)
                            .text("kind", "context")
                            .sub("deleted", Bson().flag("$exists", false));
    TRY(each(client_, kState, filter, {.fields = Bson().number("text", 1)},
             [&](BsonView document) -> Status {
                 ASSIGN_OR_RETURN(const std::string_view text, text_at(document, "text"));
                 ASSIGN_OR_RETURN(const Context context, read_context(text));
                 const std::string body = search::body_of(context);
                 const search::Counted counted = search::count(parsed, context.key, body);
                 const double score = search::score(parsed, counted.phrases, counted.body_terms);
                 if (score <= 0) return Done{};
                 hits.push_back({context.key, search::snippet(parsed, context.key, body), score});
                 if (hits.size() / 2 >= limit) keep_the_best();
                 return Done{};
             }));
    keep_the_best();
    return hits;
}

Result<std::vector<std::string>> ArchiveReads::users_with_expired(std::int64_t now_ms,
                                                                  std::size_t limit) {
    std::vector<std::string> users;
    if (limit == 0) return users;
    std::set<std::string, std::less<>> seen;
    const Bson due = Bson().sub("expires", Bson().date("$lte", now_ms));
    TRY(client_.each(kState, due,
                     {.sort = Bson().number("expires", 1), .fields = Bson().number("userId", 1)},
                     [&](BsonView document) {
                         const std::string_view user = document.text("userId").value_or("");
                         if (!seen.contains(user)) users.push_back(*seen.emplace(user).first);
                         return users.size() < limit;
                     }));
    return users;
}

}  // namespace dyad::mongo
