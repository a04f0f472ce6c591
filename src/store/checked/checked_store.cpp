#include "store/checked/checked_store.hpp"

#include "base/check.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace dyad {
namespace {

// `done`, with an answer that keeps the law.
template <class T, class Law>
std::function<void(Result<T>)> lawful(std::function<void(Result<T>)> done, Law law) {
    CHECK(done);
    return [done = std::move(done), law = std::move(law)](Result<T> answer) {
        if (answer) law(*answer);
        done(std::move(answer));
    };
}

void check_user(const std::string& user_id) {
    CHECK(!user_id.empty());
}
void check_page(const PageRequest& page) {
    CHECK(page.limit > 0);
}

// A page of what has an offset: newest first, no more than was asked for, behind where it begins.
template <class Item, class Law>
auto page_law(const PageRequest& page, Law law) {
    return [page, law = std::move(law)](const std::vector<Item>& items) {
        CHECK(items.size() <= page.limit);
        Offset before = page.before == 0 ? UINT64_MAX : page.before;
        for (const Item& item : items) {
            CHECK(item.offset > 0 && item.offset < before);
            before = item.offset;
            law(item);
        }
    };
}

void check_slice(const LogSlice& slice, Offset after) {
    CHECK(slice.first_kept >= 1);
    const EventBatch* before = nullptr;
    for (const EventBatchPtr& batch : slice.batches) {
        CHECK(batch && !batch->empty() && batch->epoch == slice.head.epoch);
        if (before == nullptr)
            CHECK(batch->first <= after + 1);
        else
            CHECK(batch->first == before->last() + 1 &&
                  batch->prev_hash == before->entries.back().hash);
        before = batch.get();
    }
    CHECK(before == nullptr || before->last() <= slice.head.offset);
}

void check_append(const AppendResult& result, std::size_t events) {
    CHECK((result.outcome == AppendOutcome::refused) == result.error.has_value());
    CHECK((result.outcome == AppendOutcome::duplicate) == !result.duplicates.empty());
    CHECK(result.outcome == AppendOutcome::duplicate || !result.is_untouched);
    std::size_t least = 0;
    for (const Duplicate& duplicate : result.duplicates) {
        CHECK(duplicate.event >= least && duplicate.event < events);
        least = duplicate.event + 1;
    }
}

}  // namespace

void CheckedStore::load(const std::string& user_id, Log::Callback<LoadedLog> done) {
    check_user(user_id);
    store_.load(
        user_id, lawful<LoadedLog>(std::move(done), [](const LoadedLog& loaded) {
            CHECK(loaded.head.epoch != 0);
            CHECK(loaded.first_kept >= 1 && loaded.first_kept <= loaded.head.offset + 1);
            for (const auto& [key, context] : loaded.state.contexts)
                CHECK(context && context->key == key && context->offset <= loaded.head.offset);
        }));
}

void CheckedStore::append(AppendRequest request, std::function<void(AppendResult)> done) {
    check_user(request.user_id);
    CHECK(done && request.batch && !request.batch->empty());
    CHECK(request.batch->epoch != 0 && request.batch->first >= 1);
    const std::size_t events = request.batch->size();
    CHECK(request.changes.size() == events);
    store_.append(std::move(request), [done = std::move(done), events](AppendResult result) {
        check_append(result, events);
        done(std::move(result));
    });
}

void CheckedStore::read(const std::string& user_id, Offset after, std::size_t bytes_max,
                        Log::Callback<LogSlice> done) {
    check_user(user_id);
    CHECK(bytes_max > 0);
    store_.read(user_id, after, bytes_max,
                lawful<LogSlice>(std::move(done),
                                 [after](const LogSlice& slice) { check_slice(slice, after); }));
}

void CheckedStore::find(const std::string& user_id, OperationId operation,
                        Log::Callback<std::optional<Offset>> done) {
    check_user(user_id);
    CHECK(done && !operation.instance_id.empty() && !operation.operation_id.empty());
    store_.find(user_id, std::move(operation), std::move(done));
}

void CheckedStore::heads(std::vector<std::string> user_ids,
                         Log::Callback<std::vector<Position>> done) {
    std::for_each(user_ids.begin(), user_ids.end(), check_user);
    const std::size_t count = user_ids.size();
    store_.heads(std::move(user_ids),
                 lawful<std::vector<Position>>(std::move(done), [count](const auto& heads) {
                     CHECK(heads.size() == count);
                 }));
}

void CheckedStore::history(const std::string& user_id, const std::string& key, PageRequest page,
                           Archive::Callback<std::vector<HistoryItem>> done) {
    check_user(user_id);
    check_page(page);
    CHECK(!key.empty());
    const auto of_the_key = [key](const HistoryItem& item) {
        CHECK(item.context && item.context->key == key);
    };
    store_.history(
        user_id, key, page,
        lawful<std::vector<HistoryItem>>(std::move(done), page_law<HistoryItem>(page, of_the_key)));
}

void CheckedStore::read_version(const std::string& user_id, const std::string& key, Version version,
                                Archive::Callback<ContextPtr> done) {
    check_user(user_id);
    CHECK(!key.empty());
    store_.read_version(user_id, key, version,
                        lawful<ContextPtr>(std::move(done), [=](const ContextPtr& context) {
                            CHECK(context && context->key == key && context->version == version);
                        }));
}

void CheckedStore::transitions(const std::string& user_id, std::optional<std::string> instance_id,
                               PageRequest page, Archive::Callback<std::vector<Transition>> done) {
    check_user(user_id);
    check_page(page);
    const auto of_the_instance = [instance_id](const Transition& transition) {
        CHECK(!instance_id || transition.state.instance_id == *instance_id);
    };
    store_.transitions(user_id, instance_id, page,
                       lawful<std::vector<Transition>>(
                           std::move(done), page_law<Transition>(page, of_the_instance)));
}

void CheckedStore::responses(const std::string& user_id, ResponseFilter filter, PageRequest page,
                             Archive::Callback<std::vector<ResponseRecord>> done) {
    check_user(user_id);
    check_page(page);
    const auto wanted = [filter](const ResponseRecord& record) {
        CHECK(!filter.chat_id || record.chat_id == *filter.chat_id);
        CHECK(!filter.message_id || record.message_id == *filter.message_id);
    };
    store_.responses(user_id, filter, page,
                     lawful<std::vector<ResponseRecord>>(std::move(done),
                                                         page_law<ResponseRecord>(page, wanted)));
}

void CheckedStore::search(const std::string& user_id, const std::string& query, std::size_t limit,
                          Archive::Callback<std::vector<SearchHit>> done) {
    check_user(user_id);
    CHECK(limit > 0);
    store_.search(user_id, query, limit,
                  lawful<std::vector<SearchHit>>(std::move(done), [limit](const auto& hits) {
                      CHECK(hits.size() <= limit && std::ranges::is_sorted(hits, is_better));
                  }));
}

void CheckedStore::expire_events(std::int64_t before_ms, Archive::Callback<std::size_t> done) {
    CHECK(done);
    store_.expire_events(before_ms, std::move(done));
}

void CheckedStore::users_with_expired(std::int64_t now_ms, std::size_t limit,
                                      Archive::Callback<std::vector<std::string>> done) {
    CHECK(limit > 0);
    store_.users_with_expired(
        now_ms, limit,
        lawful<std::vector<std::string>>(std::move(done), [limit](const auto& users) {
            CHECK(users.size() <= limit);
            CHECK(std::set<std::string>(users.begin(), users.end()).size() == users.size());
        }));
}

void CheckedStore::load_clock(Archive::Callback<ClockMark> done) {
    CHECK(done);
    store_.load_clock(std::move(done));
}

void CheckedStore::check(std::function<bool(Result<CheckReport>)> report) {
    CHECK(report);
    store_.check(std::move(report));
}

void CheckedStore::copy(std::function<bool(Result<CheckReport>)> report) {
    CHECK(report);
    store_.copy(std::move(report));
}

void CheckedDocuments::project(ProjectRequest request,
                               Callback<std::vector<ForeignDocument>> done) {
    check_user(request.user_id);
    CHECK(!request.entries.empty());
    std::set<std::string> keys;
    for (const ProjectRequest::Entry& entry : request.entries) {
        CHECK(entry.context && entry.context->offset > 0);
        CHECK(keys.insert(entry.context->key).second);
    }
    documents_.project(
        std::move(request),
        lawful<std::vector<ForeignDocument>>(std::move(done), [keys](const auto& in_the_way) {
            for (const ForeignDocument& document : in_the_way)
                CHECK(document.context && keys.contains(document.context->key));
        }));
}

void CheckedDocuments::adopted(const std::string& user_id, std::string transition_id, Offset offset,
                               Callback<Done> done) {
    check_user(user_id);
    CHECK(done && !transition_id.empty());
    documents_.adopted(user_id, std::move(transition_id), offset, std::move(done));
}

void CheckedDocuments::look(std::vector<std::string> user_ids,
                            Callback<std::vector<DocumentsLook>> done) {
    CHECK(!user_ids.empty());
    const std::vector<std::string> asked = user_ids;
    documents_.look(std::move(user_ids),
                    lawful<std::vector<DocumentsLook>>(std::move(done), [asked](const auto& looks) {
                        CHECK(looks.size() == asked.size());
                        for (std::size_t i = 0; i < asked.size(); ++i)
                            CHECK(looks[i].user_id == asked[i]);
                    }));
}

}  // namespace dyad
