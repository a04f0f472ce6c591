#include "conformance/store/store_law.hpp"
#include "model/json.hpp"

#include <chrono>

#include <boost/json/object.hpp>

namespace dyad::conformance {

void StoreLaw::wait(const std::function<bool()>& done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done() && std::chrono::steady_clock::now() < give_up)
        backend_->pump();
}

AppendOutcome StoreLaw::append(AppendRequest request) {
    return append(store(), std::move(request));
}

AppendOutcome StoreLaw::append(Store& store, AppendRequest request) {
    return append_result(store, std::move(request)).outcome;
}

AppendResult StoreLaw::append_result(Store& store, AppendRequest request) {
    auto answer = std::make_shared<std::vector<AppendResult>>();
    store.append(std::move(request),
                 [answer](AppendResult result) { answer->push_back(std::move(result)); });
    EXPECT_TRUE(answer->empty()) << "a callback ran inside the call";
    wait([&] { return !answer->empty(); });
    backend_->pump();
    EXPECT_EQ(answer->size(), 1U);
    return answer->empty() ? AppendResult() : answer->front();
}

void StoreLaw::grow(test::SampleLog& log, int batches, std::size_t events_max) {
    for (int i = 0; i < batches; ++i) {
        const AppendRequest request = log.draft(1 + random_.below(events_max));
        ASSERT_EQ(append(request), AppendOutcome::committed);
        log.take(*request.batch, request.changes);
    }
}

LoadedLog StoreLaw::load(const std::string& user) {
    auto loaded =
        ask<LoadedLog>([&](Store::Callback<LoadedLog> done) { store().load(user, done); });
    EXPECT_TRUE(loaded) << loaded.error().to_string();
    return loaded ? *std::move(loaded) : LoadedLog();
}

std::optional<Offset> StoreLaw::find(const std::string& user, const std::string& instance,
                                     const std::string& operation) {
    using At = std::optional<Offset>;
    const auto at = ask<At>([&](Store::Callback<At> done) {
        store().find(user, {instance, operation}, std::move(done));
    });
    EXPECT_TRUE(at) << at.error().to_string();
    return at ? *at : At(99999);
}

void StoreLaw::expect_operations(const test::SampleLog& log, Offset first_kept) {
    const Offset end = log.head().offset;
    for (Offset offset = 1; offset <= end; offset += 1 + end / 40) {
        const OperationId id = log.operation_at(offset);
        EXPECT_EQ(find(log.user(), id.instance_id, id.operation_id),
                  std::optional<Offset>(offset < first_kept ? 0 : offset));
    }
}

std::vector<Position> StoreLaw::heads(std::vector<std::string> users) {
    const auto ends = ask<std::vector<Position>>(
        [&](Store::Callback<std::vector<Position>> done) { store().heads(users, done); });
    EXPECT_TRUE(ends) << ends.error().to_string();
    return ends ? *ends : std::vector<Position>();
}

std::vector<std::string> StoreLaw::texts(const std::string& user, Offset after,
                                         std::size_t bytes_max) {
    std::vector<std::string> out;
    for (Offset at = after;;) {
        const auto slice = ask<LogSlice>(
            [&](Store::Callback<LogSlice> done) { store().read(user, at, bytes_max, done); });
        EXPECT_TRUE(slice) << slice.error().to_string();
        if (!slice || at >= slice->head.offset) return out;
        EXPECT_FALSE(slice->batches.empty()) << "no progress after " << at;
        if (slice->batches.empty()) return out;
        EXPECT_LE(slice->batches.front()->first, at + 1);
        for (const EventBatchPtr& batch : slice->batches) {
            EXPECT_TRUE(verify_batch(*batch));
            for (Offset offset = batch->first; offset <= batch->last(); ++offset) {
                if (offset <= at) continue;
                EXPECT_EQ(offset, at + 1) << "a hole";
                out.emplace_back(batch->text(offset));
                at = offset;
            }
        }
    }
}

void StoreLaw::expect_holds(const test::SampleLog& log) {
    const LoadedLog loaded = load(log.user());
    EXPECT_EQ(loaded.head.epoch, log.head().epoch);
    EXPECT_EQ(loaded.head.offset, log.head().offset);
    EXPECT_EQ(loaded.head.hash, log.head().hash);
    EXPECT_EQ(loaded.head.timestamp_ms, log.head().timestamp_ms);
    EXPECT_EQ(test::describe(loaded.state, true), test::describe(log.state(), true));
    expect_operations(log);
    EXPECT_EQ(texts(log.user(), 0, 64 * 1024), log.texts());
}

namespace {

// An empty request at the end of `log`, and the head that it begins with.
std::pair<AppendRequest, LogHead> begin_request(const test::SampleLog& log) {
    AppendRequest request;
    request.user_id = log.user();
    return {request, log.head()};
}

void add_event(EventBatch& batch, LogHead& head, const Change& change, const std::string& instance,
               const std::string& operation, std::int64_t timestamp_ms) {
    const std::string data = encode_change(change);
    const std::string scope = scope_of(change);
    append_event(batch, head,
                 {.kind = kind_of(change),
                  .scope = scope,
                  .source_instance_id = instance,
                  .operation_id = operation,
                  .data = data,
                  .timestamp_ms = timestamp_ms});
}

}  // namespace

AppendRequest request_for(const test::SampleLog& log, const Change& change,
                          const std::string& operation, std::int64_t timestamp_ms) {
    auto [request, head] = begin_request(log);
    auto batch = std::make_shared<EventBatch>();
    add_event(*batch, head, change, "vscode-1", operation, timestamp_ms);
    request.batch = std::move(batch);
    request.changes.push_back(change);
    return request;
}

AppendRequest request_for(const test::SampleLog& log, const std::vector<Change>& changes) {
    auto [request, head] = begin_request(log);
    auto batch = std::make_shared<EventBatch>();
    for (const Change& change : changes) {
        request.changes.push_back(change);
        add_event(*batch, head, change, "vscode-1", "change-" + std::to_string(head.offset),
                  log.now_ms);
    }
    request.batch = std::move(batch);
    return request;
}

AppendRequest request_for(const test::SampleLog& log,
                          const std::vector<std::pair<std::string, std::string>>& operations) {
    auto [request, head] = begin_request(log);
    auto batch = std::make_shared<EventBatch>();
    for (const auto& [instance, operation] : operations) {
        request.changes.push_back(McpChange{EventKind::mcp_tool_executed, "{}"});
        add_event(*batch, head, request.changes.back(), instance, operation, log.now_ms);
    }
    request.batch = std::move(batch);
    return request;
}

ContextChange context_change(const test::SampleLog& log, const std::string& key,
                             const std::string& note, bool deleted) {
    auto context = std::make_shared<Context>();
    const ContextPtr before = log.state().find(key);
    context->key = key;
    context->version = before ? before->version + 1 : 1;
    context->data = deleted ? "null" : json::canonical(boost::json::object{{"note", note}});
    context->deleted = deleted;
    context->offset = log.head().offset + 1;
    context->updated_at_ms = log.now_ms;
    ContextChange change;
    change.action = deleted  ? ContextAction::deleted
                    : before ? ContextAction::updated
                             : ContextAction::created;
    change.previous_version = before ? before->version : 0;
    change.context = std::move(context);
    return change;
}

}  // namespace dyad::conformance
