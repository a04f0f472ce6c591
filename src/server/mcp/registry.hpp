// What the MCP server offers: tools, resources, prompts, each as a row that names its handler; and
// one call of one of them. Nothing here, and nothing that is written against it, knows revisions of
// the protocol, HTTP or streams: server/mcp/protocol does.
//
// Lifetime: a registry is made once and outlives its calls. Threads: the cell's.
#pragma once

#include "auth/identity.hpp"
#include "model/event.hpp"
#include "server/node_info.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dyad::server::mcp {

// What a client can be asked for while one of its calls waits.
struct ClientCapabilities {
    bool elicitation_form = false;
    bool elicitation_url = false;
    bool sampling = false;
    bool roots = false;
};

// One request, whatever revision and transport it came by.
struct Request {
    std::string version;  // of the protocol, by its date
    ClientCapabilities capabilities;
    auth::Principal principal;
    std::string instance;  // who writes, as the log names it
    std::string id;        // JSON, as it was sent
    std::string method;
    std::string params;  // JSON of an object; "{}" where there were none
};

// An answer of the user to what a call asked for (elicitation and its like).
struct InputResponse {
    std::string key;
    std::string action;   // accept, decline, cancel
    std::string content;  // JSON of an object; empty: none
};
struct InputRequest {
    std::string key;
    std::string method;  // "elicitation/create"
    std::string params;  // JSON of an object
};

// One tools/call, resources/read, prompts/get or completion/complete on its way to its answer.
// Exactly one of result, content, failed, refused and ask is called. What is said to a call that
// was cancelled is ignored.
class Call : public std::enable_shared_from_this<Call> {
  public:
    virtual ~Call() = default;

    virtual Node& node() = 0;
    virtual const Request& request() const = 0;
    const std::string& user() const { return request().principal.user; }
    const std::string& instance() const { return request().instance; }
    // JSON of an object: a tool's or a prompt's arguments. For a resource: {"uri":"…"}.
    virtual const std::string& arguments() const = 0;
    // What the client answered to an earlier ask() of this call, and the state given with it.
    virtual const std::vector<InputResponse>& inputs() const = 0;
    virtual const std::string& state() const = 0;  // empty: it was not asked before

    // A tool's structured content, JSON; the same as a text goes beside it for those who read only
    // that.
    virtual void result(std::string structured) = 0;
    // The members of the result as they stand: `"content":[…]`, `"contents":[…]`, `"messages":[…]`.
    virtual void content(std::string members) = 0;
    // The tool's own failure: the model reads it and goes on. `structured`: JSON, or empty.
    virtual void failed(const Error& error, std::string structured = {}) = 0;
    // The request was none: an error of JSON-RPC (-32602).
    virtual void refused(const Error& error) = 0;
    // What only the user can say: the handler is called again, with the answers. `state`: given
    // back with them, sealed meanwhile; not empty. A client that lacks the capability is told
    // which.
    virtual void ask(std::vector<InputRequest> wanted, std::string state) = 0;
    // How far it is, for who asked to be told. `done` grows from call to call.
    virtual void progress(double done, std::optional<double> total, std::string_view message) = 0;
    // A notification that goes with this call: "notifications/message"; or to everybody who listens
    // to it: "notifications/tools/list_changed" and its like. `params`: JSON of an object.
    virtual void notify(std::string_view method, std::string params) = 0;
    // The client waits no more.
    virtual void on_cancel(std::function<void()> call) = 0;

    // What goes on with a value that is waited for; an error is the tool's failure.
    template <class Fn>
    auto then(Fn go_on) {
        return [call = shared_from_this(), go_on = std::move(go_on)](auto&& outcome, auto&&...) {
            if (outcome)
                go_on(*call, *std::forward<decltype(outcome)>(outcome));
            else
                call->failed(outcome.error());
        };
    }
};

using Handler = void (*)(Call&);

struct Tool {
    std::string_view name;
    std::string_view title;
    std::string_view description;
    std::string_view input_schema;   // JSON Schema of an object
    std::string_view output_schema;  // the same of its structured content; empty: it has none
    bool read_only = false;
    bool destructive = false;
    bool idempotent = false;
    Handler call = nullptr;
};

struct ResourceRow {  // or a template of resources, where `uri` has {braces} (RFC 6570, level 1)
    std::string_view uri;
    std::string_view name;
    std::string_view title;
    std::string_view description;
    std::string_view mime_type;
    Handler read = nullptr;
};

struct PromptArgument {
    std::string_view name;
    std::string_view description;
    bool required = false;
};
struct Prompt {
    std::string_view name;
    std::string_view title;
    std::string_view description;
    std::vector<PromptArgument> arguments;
    Handler get = nullptr;
};

// Everything that one endpoint offers.
struct Registry {
    std::string_view instructions;
    std::span<const Tool> tools;
    std::span<const ResourceRow> resources;  // fixed ones and templates
    std::span<const Prompt> prompts;
    // The resources beside the fixed ones, a page of them: answers with content("resources":[…],
    // "nextCursor":…), in this order. Arguments: {"cursor":"…"}; {} for the first page.
    Handler list_resources = nullptr;
    // Arguments: {"ref":…,"argument":…,"context":…}. Answers with content("completion":{…}).
    Handler complete = nullptr;
    // The URI of the resource that an event of the log changes; empty: of none. The protocol tells
    // those who subscribed to it.
    std::string (*changed_resource)(const EventView& event) = nullptr;
    bool lists_change = false;  // its tools, resources and prompts, while it runs: calls notify
    bool logs = false;          // its calls notify of "notifications/message"
};

}  // namespace dyad::server::mcp
