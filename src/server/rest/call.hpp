// One request to the REST interface, on its way to its answer: who asks, what was sent, and the
// forms that answers have. Shared by whatever waits for the heart or the store.
#pragma once

#include "base/limits.hpp"
#include "model/command.hpp"
#include "server/exchange.hpp"
#include "server/node_info.hpp"
#include "wire/message.hpp"

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::rest {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kPatchTypes =
    "application/merge-patch+json, application/json-patch+json";

class Call : public std::enable_shared_from_this<Call> {
  public:
    // Errors: those of the Dyad-User and Dyad-Instance headers.
    static Result<std::shared_ptr<Call>> make(Node& node, ExchangePtr exchange);

    Node& node() noexcept { return node_; }
    Exchange& exchange() noexcept { return *exchange_; }
    const ExchangePtr& exchange_ptr() const noexcept { return exchange_; }
    const net::Request& request() const { return exchange_->request(); }
    const std::string& user() const noexcept { return user_; }
    const std::string& instance() const noexcept { return instance_; }
    // The parts of the path behind /api/v1/, percent-decoded each by itself.
    std::vector<std::string> segments;
    // The parameter that stands for a part of the path; empty: there is none.
    std::string_view named_by_query;

    // Errors: invalid_field, naming the first query parameter that is not one of `names`.
    Status check_query(std::initializer_list<std::string_view> names) const;
    std::optional<std::string> query(std::string_view name) const;
    // A whole number; `fallback` where absent. Errors: invalid_field.
    Result<std::int64_t> query_integer(std::string_view name, std::int64_t fallback,
                                       std::int64_t min, std::int64_t max) const;
    // A moment; `fallback` where absent. Errors: invalid_field.
    Result<std::int64_t> query_time(std::string_view name, std::int64_t fallback) const;
    // `before` and `limit`. Errors: invalid_field.
    Result<PageRequest> page() const;
    // Content-Type without its parameters, in lower case.
    std::string media_type() const;

    void json(std::string text, net::Headers headers = {}, int status = 200);
    void problem(const Error& error, int status = 0, const Context* current = nullptr);
    // The answer, protected as every one is; for a read with an ETag what If-Match and
    // If-None-Match make of it.
    void respond(net::Response response);

    // Turns what the request says into a command of this client and submits it: `given`, the
    // header's conditions, and the body. JSON is asked for where the operation's fields stand in
    // it. A rejection by version answers 412 where there is a condition, else 409.
    void submit(wire::Given given, std::function<void(const Reply&)> done);
    // The answer to a command that was written: its result and its place in the log.
    void written(const Reply& reply, int status = 200);
    // A page of a list, newest first: `items`, of which `limit` were asked for, each with its
    // `offset`, as far as they fit into page_bytes_max.
    template <class Item, class Write>
    void page_of(std::string_view name, const std::vector<Item>& items, std::size_t limit,
                 const Write& write_item) {
        std::string out = "{\"" + std::string(name) + "\":[";
        Offset next = items.size() == limit ? items.back().offset : 0;
        for (const Item& item : items) {
            if (&item != items.data()) {
                if (out.size() > static_cast<std::size_t>(limits::page_bytes_max)) {
                    next = (&item - 1)->offset;
                    break;
                }
                out += ',';
            }
            write_item(out, item);
        }
        end_page(std::move(out), next);
    }
    // Ends the list that `text` holds so far; `next` is what `before` takes for the next page, 0:
    // this was the last.
    void end_page(std::string text, Offset next);
    // The Link header of a page that has another one after it: the same query, but for `name`.
    net::Headers next_link(std::string_view name, std::string_view value) const;

  private:
    Call(Node& node, ExchangePtr exchange) : node_(node), exchange_(std::move(exchange)) {}

    Node& node_;
    ExchangePtr exchange_;
    std::string user_;
    std::string instance_;
};
using CallPtr = std::shared_ptr<Call>;

// The error's problem document (server/problem.hpp), protected as every answer is.
net::Response problem_response(const net::Request& request, const Error& error, int status = 0,
                               const Context* current = nullptr);

// The handlers, by resource. Each answers its call.
void get_status(const CallPtr& call);
void check(const CallPtr& call);
void get_instances(const CallPtr& call);
void modes(const CallPtr& call);
void transitions(const CallPtr& call);
void contexts(const CallPtr& call);
void search(const CallPtr& call);
void conflicts(const CallPtr& call);
void events(const CallPtr& call);
void stream_events(const CallPtr& call);
void responses(const CallPtr& call);
// 405 with what is allowed, or what OPTIONS asked for: just that.
void wrong_method(const CallPtr& call, std::string_view allowed);

// `"7"`
std::string entity_tag(std::uint64_t version);
// If-Match and If-None-Match of a write. Errors: invalid_field.
Result<Conditions> conditions_of(const net::Request& request);
// What the conditions of a read make of its answer: 304, 412, or what it was.
void apply_conditions(const net::Request& request, net::Response& response);

}  // namespace dyad::server::rest
