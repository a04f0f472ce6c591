// One request under way to its handler, and the endpoint that takes it there. Internal to the
// endpoint.
#pragma once

#include "server/mcp/endpoint.hpp"

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

// Whose memory it is, and who writes, where a header says it.
struct Sender {
    auth::Principal principal;
    std::optional<std::string> instance;
};

// HTTP and the choice of the method: endpoint.cpp; what the methods do: methods.cpp.
class Endpoint {
  public:
    Endpoint(StationPtr station, const Mount& mount)
        : station_(std::move(station)), registry_(*mount.registry), path_(mount.path) {}

    std::string_view path() const { return path_; }
    void handle(const ExchangePtr& exchange);

  private:
    struct Method {
        std::string_view name;
        bool modern;
        bool legacy;
        void (Endpoint::*run)(Visit&);
    };
    static const Method kMethods[];

    const Method* find(std::string_view name, Era era) const;
    bool offers(std::string_view name) const;
    // Why the request cannot get a stream of changes of this user.
    std::optional<Refusal> no_stream(const net::Request& request, const std::string& user) const;
    std::optional<Session> session_of(const net::Request& request, const Sender& sender);

    void post(const ExchangePtr& exchange);
    void post_batch(const ExchangePtr& exchange, Body body, const Sender& sender);
    void get(const ExchangePtr& exchange);
    void end_session(const ExchangePtr& exchange);
    void wrong_method(const ExchangePtr& exchange);
    void modern(Visit& visit);
    void legacy(Visit& visit);
    void take_note(const Visit& visit);
    // Answers when other nodes know it.
    void answer_subscription(const Visit& visit, Topic topic);
    // Tells what waits for it, here or at another node; `everywhere`: it may be at several.
    void tell(const std::string& key, std::string_view what, bool everywhere = false);

    void discover(Visit& visit);
    void initialize(Visit& visit);
    void ping(Visit& visit) { visit.answer("{}"); }
    void subscribe(Visit& visit);
    void unsubscribe(Visit& visit);
    void listen(Visit& visit);
    void list_tools(Visit& visit) { list(visit, tools_list(registry_)); }
    void list_prompts(Visit& visit) { list(visit, prompts_list(registry_)); }
    void list_templates(Visit& visit) {
        list(visit, "\"resourceTemplates\":[" + resource_rows(registry_, true) + "]");
    }
    void list_resources(Visit& visit);
    void call_tool(Visit& visit);
    void read(Visit& visit);
    void get_prompt(Visit& visit);
    void complete(Visit& visit);

    void list(Visit& visit, const std::string& members);
    void run(Visit& visit, Handler handler, Form form, std::string_view name, std::string arguments,
             std::string first_page = {});

    StationPtr station_;
    const Registry& registry_;
    std::string_view path_;
    // Sessions whose ids were opened lately: what is sealed in them never changes.
    static constexpr std::size_t kOpenedMax = 256;
    std::map<std::string, Session, std::less<>> opened_;
};

}  // namespace dyad::server::mcp
