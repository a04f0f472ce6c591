// One request to the REST interface, on its way to its answer: who asks, what was sent, and the
// forms that answers have. Shared by whatever waits for the heart or the store.
#pragma once

#include "auth/identity.hpp"
#include "base/limits.hpp"
#include "model/command.hpp"
#include "model/json_text.hpp"
#include "server/exchange.hpp"
#include "server/node_info.hpp"
#include "server/problem.hpp"
#include "wire/message.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::rest {

using SnapshotPtr = std::shared_ptr<const core::Snapshot>;

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kPatchTypes =
    "application/merge-patch+json, application/json-patch+json";

// About as many bytes as an answer has.
inline constexpr std::size_t kAnswerBytes = 1024;

class Call : public std::enable_shared_from_this<Call> {
  public:
    // Errors: those of the Dyad-User and Dyad-Instance headers.
    static Result<std::shared_ptr<Call>> make(Node& node, ExchangePtr exchange);

    Node& node() noexcept { return node_; }
    Exchange& exchange() noexcept { return *exchange_; }
    const net::Request& request() const { return exchange_->request(); }
    bool reading() const { return request().method == "GET" || request().method == "HEAD"; }
    const std::string& user() const noexcept { return principal_.user; }
    const std::string& instance() const noexcept { return instance_; }
    // The parts of the path behind /api/v1/, percent-decoded each by itself.
    std::vector<std::string> segments;
    // The parameter that stands for a part of the path; empty: there is none.
    std::string_view named_by_query;

    // Errors: invalid_field, naming the first query parameter that is not one of `names`, which
    // have spaces between them.
    Status check_query(std::string_view names) const;
    std::optional<std::string> query(std::string_view name) const;
    // A whole number; `fallback` where absent. Errors: invalid_field.
    Result<std::int64_t> query_integer(std::string_view name, std::int64_t fallback,
                                       std::int64_t min, std::int64_t max) const;
    // `limit`: how many items are wanted.
    Result<std::size_t> query_limit(std::int64_t fallback = limits::page_items_default) const;
    // A moment; `fallback` where absent. Errors: invalid_field.
    Result<std::int64_t> query_time(std::string_view name, std::int64_t fallback) const;
    // `before` and `limit`. Errors: invalid_field.
    Result<PageRequest> page() const;
    // `fresh`: how fresh the state must be that answers. Errors: invalid_field.
    Result<core::Freshness> freshness();
    // `go_on(*this, snapshot)`, of the user's state as fresh as was asked for.
    template <class Fn>
    void with_state(Fn go_on) {
        const Result<core::Freshness> fresh = freshness();
        if (!fresh) return problem(fresh.error());
        node().engine().snapshot(user(), then(std::move(go_on)), *fresh);
    }
    // Content-Type without its parameters, in lower case.
    std::string media_type() const;

    // What goes on with a value that is waited for: `go_on(*this, value)`; an error is the answer.
    template <class Fn>
    auto then(Fn go_on) {
        return [call = shared_from_this(), go_on = std::move(go_on)](auto&& result, auto&&...) {
            if (result)
                go_on(*call, *std::forward<decltype(result)>(result));
            else
                call->problem(result.error());
        };
    }

    // An answer of JSON.
    void json_text(std::string text, net::Headers headers = {}, int status = 200);
    // The same that `write(writer)` composes.
    template <class Write>
    void json(const Write& write, net::Headers headers = {}, int status = 200) {
        json_text(json::written(kAnswerBytes, write), std::move(headers), status);
    }
    // A page of a list, newest first: `items`, of which `limit` were asked for, each with its
    // `offset`, as far as they fit into page_bytes_max. `next` is what `before` takes for the next
    // page; null: this was the last.
    template <class Item, class Write>
    void page_of(std::string_view name, const std::vector<Item>& items, std::size_t limit,
                 const Write& write_item) {
        Offset next = !items.empty() && items.size() == limit ? items.back().offset : 0;
        std::string text = json::written(kAnswerBytes, [&](json::Writer& out) {
            out.raw("{").string(name).raw(":[");
            for (const Item& item : items) {
                if (&item != items.data() && is_full(out)) {
                    next = (&item - 1)->offset;
                    break;
                }
                if (&item != items.data()) out.raw(",");
                write_item(out, item);
            }
            out.raw("],\"next\":");
            out.value(next == 0 ? std::nullopt : std::optional(next)).raw("}");
        });
        json_text(std::move(text),
                  next == 0 ? net::Headers{} : next_link("before", std::to_string(next)));
    }
    // A page of a list has as many bytes as it may.
    static bool is_full(const json::Writer& out) noexcept {
        return out.size() > static_cast<std::size_t>(limits::page_bytes_max);
    }
    // The Link header of a page that has another one after it: the same query, but for `name`.
    net::Headers next_link(std::string_view name, std::string_view value) const;
    void problem(const Error& error, int status = 0, const Stored& stored = {});
    // The answer, protected as every one is; for a read with an ETag what If-Match and
    // If-None-Match make of it.
    void respond(net::Response response);

    // Turns what the request says into a command of this client and submits it: `given`, the
    // header's conditions, and the body. JSON is asked for where the operation's fields stand in
    // it. A rejection by version answers 412 where there is a condition, else 409. What was written
    // is answered with its place in the log and the status that `status_of` says. `query`: the
    // parameters that say a part of it.
    void submit(wire::Given given, int (*status_of)(const Reply&), std::string_view query = "");

  private:
    Call(Node& node, ExchangePtr exchange) : node_(node), exchange_(std::move(exchange)) {}
    void written(const Reply& reply, int status);

    Node& node_;
    ExchangePtr exchange_;
    auth::Principal principal_;
    std::string instance_;
    bool says_age_ = false;          // what is at hand was asked for
    bool says_age_if_away_ = false;  // ... while the store cannot be reached
};
using CallPtr = std::shared_ptr<Call>;

// A whole number from `min` to `max`. Errors: invalid_field, beginning with `name`.
Result<std::int64_t> whole_number(std::string_view name, std::string_view text, std::int64_t min,
                                  std::int64_t max = INT64_MAX);

// The handlers, as the routes name them (api.cpp). Each answers its call.
void get_status(Call& call);
void check(Call& call);
void copy(Call& call);
void list_instances(Call& call);
void list_modes(Call& call);
void read_mode(Call& call);
void set_mode(Call& call);
void list_transitions(Call& call);
void list_contexts(Call& call);
void read_context(Call& call);
void put_context(Call& call);
void patch_context(Call& call);
void delete_context(Call& call);
void list_history(Call& call);
void read_version(Call& call);
void restore_context(Call& call);
void search(Call& call);
void list_conflicts(Call& call);
void resolve_conflict(Call& call);
void list_claims(Call& call);
void acquire_claim(Call& call);
void release_claim(Call& call);
void events(Call& call);
void announce_mcp(Call& call);
void prove_event(Call& call);
void stream_events(Call& call);
void list_responses(Call& call);
void record_response(Call& call);

// `"7"`
std::string entity_tag(std::uint64_t version);
// That the header says nothing of a write's content that would be passed over: another charset, a
// part of it. Errors: invalid_field, unsupported_media_type.
Status check_content(const net::Request& request);
// If-Match and If-None-Match of a write. Errors: invalid_field; for a condition by date, too.
Result<Conditions> conditions_of(const net::Request& request);
// What the conditions of a read make of its answer: 304, 412, or what it was.
void apply_conditions(const net::Request& request, net::Response& response);

}  // namespace dyad::server::rest
