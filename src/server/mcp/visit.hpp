// One request under way to its handler: what was read of it, and who sent it. Internal to the
// endpoint.
#pragma once

#include "server/mcp/live_call.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace dyad::server::mcp {

struct Visit {
    const ExchangePtr& exchange;
    Era era = Era::modern;
    Message message;
    Params params;  // slices of message.params
    std::optional<Session> session;
    auth::Principal principal;
    std::string instance;
    ReplyPtr reply;

    Visit(const ExchangePtr& from, Message said) : exchange(from), message(std::move(said)) {}
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

    const net::Request& request() const { return exchange->request(); }
    void answer(const std::string& result, net::Headers headers = {}) {
        reply->answer(200, result_text(message.id, result), std::move(headers));
    }
    void refuse(const Refusal& refusal) {
        reply->answer(refusal.http_status, error_text(message.id, refusal));
    }
    void refuse(std::string text, int code = kInvalidParams) {
        refuse({200, code, std::move(text), {}});
    }
};

// The instance that a client is which says nothing but its name: "Claude Code" is claude-code.
std::string instance_of(std::string_view client_info);
// What a client can be asked for. Requires: JSON.
ClientCapabilities read_capabilities(std::string_view capabilities);

// Lists, as results have them: `"tools":[…]` …
std::string tools_list(const Registry& registry);
std::string prompts_list(const Registry& registry);
// Those that are fixed or those that are templates: elements only, with commas.
std::string resource_rows(const Registry& registry, bool templates);
// What the server can do: `{"tools":{},…}`.
std::string capabilities_of(const Registry& registry, Era era);
// The fixed resource or the template that a URI belongs to; null: none.
const ResourceRow* find_resource(const Registry& registry, std::string_view uri);

}  // namespace dyad::server::mcp
