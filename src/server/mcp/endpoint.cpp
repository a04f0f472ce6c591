#include "server/mcp/endpoint.hpp"

#include "base/limits.hpp"
#include "base/text.hpp"
#include "net/http_fields.hpp"
#include "server/mcp/visit.hpp"
#include "server/naming.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kSessionHeader = "mcp-session-id";
constexpr std::string_view kPublic = R"("ttlMs":300000,"cacheScope":"public",)";

void respond(const ExchangePtr& exchange, const Refusal& refusal, std::string_view id = {},
             net::Headers headers = {}) {
    exchange->respond(answer_of(refusal.http_status, error_text(id, refusal), std::move(headers)));
}

Refusal refused(const Error& error) {
    return {400, kInvalidParams, error.detail, {}};
}

std::string media_type(const net::Request& request) {
    const std::string_view type = request.header("content-type").value_or("");
    return to_lower(trimmed(type.substr(0, type.find(';'))));
}

// Whose memory it is, and who writes, where a header says it.
struct Sender {
    auth::Principal principal;
    std::optional<std::string> instance;
};
Result<Sender> sender_of(Node& node, const net::Request& request) {
    Sender sender;
    ASSIGN_OR_RETURN(const auto user, named(request, kUserName));
    ASSIGN_OR_RETURN(sender.principal,
                     auth::principal_of(user.value_or(""), node.settings().user_id));
    ASSIGN_OR_RETURN(sender.instance, named(request, kInstanceName));
    return sender;
}

}  // namespace

class Endpoint {
  public:
    Endpoint(CellCommons& cell, const Mount& mount)
        : cell_(cell), registry_(*mount.registry), path_(mount.path) {}

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
    std::optional<Session> session_of(const net::Request& request, const Sender& sender) const;

    void post(const ExchangePtr& exchange);
    void post_batch(const ExchangePtr& exchange, Body body, const Sender& sender);
    void get(const ExchangePtr& exchange);
    void end_session(const ExchangePtr& exchange);
    void wrong_method(const ExchangePtr& exchange);
    void modern(Visit& visit);
    void legacy(Visit& visit);
    void take_note(const Visit& visit);

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

    CellCommons& cell_;
    const Registry& registry_;
    std::string_view path_;
};

const Endpoint::Method Endpoint::kMethods[] = {
    {"tools/call", true, true, &Endpoint::call_tool},
    {"tools/list", true, true, &Endpoint::list_tools},
    {"resources/read", true, true, &Endpoint::read},
    {"resources/list", true, true, &Endpoint::list_resources},
    {"resources/templates/list", true, true, &Endpoint::list_templates},
    {"resources/subscribe", false, true, &Endpoint::subscribe},
    {"resources/unsubscribe", false, true, &Endpoint::unsubscribe},
    {"prompts/get", true, true, &Endpoint::get_prompt},
    {"prompts/list", true, true, &Endpoint::list_prompts},
    {"completion/complete", true, true, &Endpoint::complete},
    {"server/discover", true, false, &Endpoint::discover},
    {"subscriptions/listen", true, false, &Endpoint::listen},
    {"initialize", false, true, &Endpoint::initialize},
    {"ping", false, true, &Endpoint::ping},
    {"logging/setLevel", false, true, &Endpoint::ping},
};

bool Endpoint::offers(std::string_view name) const {
    if (name.starts_with("tools/")) return !registry_.tools.empty();
    if (name.starts_with("prompts/")) return !registry_.prompts.empty();
    if (name.ends_with("subscribe")) return registry_.changed_resource != nullptr;
    if (name.starts_with("resources/"))
        return !registry_.resources.empty() || registry_.list_resources != nullptr;
    if (name == "completion/complete") return registry_.complete != nullptr;
    return true;
}

const Endpoint::Method* Endpoint::find(std::string_view name, Era era) const {
    for (const Method& row : kMethods)
        if (row.name == name)
            return (era == Era::modern ? row.modern : row.legacy) && offers(name) ? &row : nullptr;
    return nullptr;
}

// A session belongs to its user: asked for by another one, it is not there.
std::optional<Session> Endpoint::session_of(const net::Request& request,
                                            const Sender& sender) const {
    const auto id = request.header(kSessionHeader);
    if (!id) return std::nullopt;
    auto session = cell_.commons.sessions.find(path_, *id);
    if (session && session->user != sender.principal.user) session.reset();
    return session;
}

void Endpoint::handle(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    if (request.method == "POST") return post(exchange);
    // Without sessions there is nothing but POST.
    const bool of_session =
        era_of(request, std::nullopt) == Era::legacy && request.header(kSessionHeader);
    if (request.method == "GET" && of_session) return get(exchange);
    if (request.method == "DELETE" && of_session) return end_session(exchange);
    wrong_method(exchange);
}

void Endpoint::wrong_method(const ExchangePtr& exchange) {
    respond(exchange,
            {405,
             kInvalidRequest,
             "this is an MCP endpoint: it takes POST; GET and DELETE with the Mcp-Session-Id of a "
             "session",
             {}},
            {}, {{"Allow", "POST, GET, DELETE"}});
}

void Endpoint::post(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    if (media_type(request) != "application/json")
        return respond(exchange,
                       {400, kInvalidRequest, "Content-Type: must be application/json", {}});
    Body body = read_body(request.body);
    Element& first = body.elements.front();
    const Result<Sender> sender = sender_of(cell_.node, request);
    if (!sender) return respond(exchange, refused(sender.error()), first.id);
    if (body.is_batch) return post_batch(exchange, std::move(body), *sender);
    if (const auto* refusal = std::get_if<Refusal>(&first.content))
        return respond(exchange, *refusal, first.id);
    Visit visit(exchange, std::get<Message>(std::move(first.content)));
    Result<Params> params = read_params(visit.message.params);
    if (params) visit.params = *std::move(params);
    visit.era = era_of(request, visit.params.meta);
    visit.principal = sender->principal;
    if (visit.era == Era::legacy) visit.session = session_of(request, *sender);
    visit.instance = sender->instance    ? *sender->instance
                     : visit.session     ? visit.session->instance
                     : visit.params.meta ? instance_of(visit.params.meta->client_info)
                                         : instance_of(visit.params.client_info);
    if (visit.message.kind == Message::Kind::request)
        visit.reply = Reply::make(cell_.node, exchange, 1, false);
    if (!params && visit.reply) {
        // What is not known is not there, whatever was to be done with it.
        if (find(visit.message.method, visit.era) == nullptr)
            visit.params = Params();
        else
            return visit.refuse(
                {visit.era == Era::modern ? 400 : 200, kInvalidParams, params.error().detail, {}});
    }
    visit.era == Era::modern ? modern(visit) : legacy(visit);
}

void Endpoint::modern(Visit& visit) {
    const Message& message = visit.message;
    if (message.kind == Message::Kind::response)
        return respond(visit.exchange,
                       {400,
                        kInvalidRequest,
                        "nobody was asked: since 2026-07-28 a call that needs an answer ends with "
                        "input_required, and is sent again with it",
                        {}},
                       message.id);
    if (message.kind == Message::Kind::notification)
        return visit.exchange->respond(answer_of(202, {}));
    const Method* const method = find(message.method, Era::modern);
    if (method == nullptr)
        return visit.refuse({404,
                             kMethodNotFound,
                             "there is no method " + shown(message.method) +
                                 " here; server/discover lists what is offered",
                             {}});
    if (const auto bad = check_meta(visit.params)) return visit.refuse(*bad);
    if (const auto bad = check_headers(visit.request(), message.method, visit.params))
        return visit.refuse(*bad);
    (this->*method->run)(visit);
}

void Endpoint::legacy(Visit& visit) {
    const Message& message = visit.message;
    const net::Request& request = visit.request();
    const auto version = request.header("mcp-protocol-version");
    const bool begins = message.method == "initialize";
    const auto refuse = [&](int status, std::string text) {
        respond(visit.exchange, {status, kInvalidRequest, std::move(text), {}}, message.id);
    };
    if (!begins && version && !is_legacy(trimmed(*version)))
        return refuse(400, "MCP-Protocol-Version: \"" + shown(*version) +
                               "\" is not served; initialize says which one is");
    if (!begins && !visit.session)
        return request.header(kSessionHeader)
                   ? refuse(404,
                            "Mcp-Session-Id: there is no such session; begin one with initialize")
                   : refuse(400,
                            "Mcp-Session-Id: is missing; a session begins with initialize, and "
                            "a request without one names its revision in params._meta");
    if (message.kind != Message::Kind::request) {
        take_note(visit);
        return visit.exchange->respond(answer_of(202, {}));
    }
    const Method* const method = find(message.method, Era::legacy);
    if (method == nullptr)
        return visit.refuse("there is no method " + shown(message.method) + " here",
                            kMethodNotFound);
    (this->*method->run)(visit);
}

// Of a revision with sessions: an answer to what a call asked, or that a call is not wanted.
void Endpoint::take_note(const Visit& visit) {
    Sessions& sessions = cell_.commons.sessions;
    const std::string& serial = visit.session->serial;
    if (visit.message.kind == Message::Kind::response)
        sessions.tell("answer " + serial + " " + visit.message.id, visit.message.result);
    else if (visit.message.method == "notifications/cancelled")
        sessions.tell("cancel " + serial + " " + std::string(visit.params.request_id), {});
}

void Endpoint::post_batch(const ExchangePtr& exchange, Body body, const Sender& sender) {
    const auto session = session_of(exchange->request(), sender);
    if (!session || session->version != "2025-03-26" ||
        era_of(exchange->request(), std::nullopt) == Era::modern)
        return respond(exchange,
                       {400,
                        kInvalidRequest,
                        "the body must be one JSON object: batches are of sessions of the "
                        "revision 2025-03-26 only",
                        {}});
    std::size_t expected = 0;
    for (const Element& one : body.elements) {
        const auto* const message = std::get_if<Message>(&one.content);
        expected += message == nullptr || message->kind == Message::Kind::request;
    }
    ReplyPtr reply;
    if (expected != 0) reply = Reply::make(cell_.node, exchange, expected, true);
    for (Element& one : body.elements) {
        if (const auto* refusal = std::get_if<Refusal>(&one.content)) {
            reply->answer(200, error_text(one.id, *refusal));
            continue;
        }
        Visit visit(exchange, std::get<Message>(std::move(one.content)));
        visit.era = Era::legacy;
        visit.session = session;
        visit.principal = sender.principal;
        visit.instance = sender.instance.value_or(session->instance);
        visit.reply = reply;
        Result<Params> params = read_params(visit.message.params);
        if (params) visit.params = *std::move(params);
        if (visit.message.kind != Message::Kind::request) {
            take_note(visit);
            continue;
        }
        const Method* const method = find(visit.message.method, Era::legacy);
        if (method == nullptr || method->name == "initialize")
            visit.refuse("there is no method " + shown(visit.message.method) + " in a batch",
                         kMethodNotFound);
        else if (!params)
            visit.refuse(params.error().detail);
        else
            (this->*method->run)(visit);
    }
    if (!reply) exchange->respond(answer_of(202, {}));
}

void Endpoint::discover(Visit& visit) {
    visit.answer(json::written(1024, [&](json::Writer& out) {
        out.object([&] {
            out.members("supportedVersions", json::Raw{kSupported}, "capabilities",
                        json::Raw{capabilities_of(registry_, Era::modern)}, "instructions",
                        registry_.instructions);
            out.raw(",").raw(kPublic).raw(tail(Era::modern, Form::tool));
        });
    }));
}

void Endpoint::initialize(Visit& visit) {
    Session session;
    session.serial = cell_.node.random().uuid4();
    session.version = negotiated(visit.params.protocol_version.value_or(""));
    session.user = visit.principal.user;
    session.instance = visit.instance;
    session.capabilities = read_capabilities(visit.params.capabilities);
    const std::string id = cell_.commons.sessions.begin(path_, session);
    visit.answer(json::written(1024,
                               [&](json::Writer& out) {
                                   out.object("protocolVersion", session.version, "capabilities",
                                              json::Raw{capabilities_of(registry_, Era::legacy)},
                                              "serverInfo", json::Raw{kServerInfo}, "instructions",
                                              registry_.instructions);
                               }),
                 {{"Mcp-Session-Id", id}});
}

void Endpoint::subscribe(Visit& visit) {
    if (!visit.params.uri) return visit.refuse("uri: names the resource");
    if (!cell_.commons.sessions.subscribe(visit.session->serial, *visit.params.uri))
        return visit.refuse("this session has " + std::to_string(limits::mcp_subscriptions_max) +
                            " subscriptions (mcp_subscriptions_max); end one first");
    visit.answer("{}");
}

void Endpoint::unsubscribe(Visit& visit) {
    if (!visit.params.uri) return visit.refuse("uri: names the resource");
    cell_.commons.sessions.unsubscribe(visit.session->serial, *visit.params.uri);
    visit.answer("{}");
}

void Endpoint::end_session(const ExchangePtr& exchange) {
    const Result<Sender> sender = sender_of(cell_.node, exchange->request());
    if (!sender) return respond(exchange, refused(sender.error()));
    const auto session = session_of(exchange->request(), *sender);
    if (!session)
        return respond(exchange,
                       {404, kInvalidRequest, "Mcp-Session-Id: there is no such session", {}});
    cell_.commons.sessions.end(session->serial);
    exchange->respond(answer_of(204, {}));
}

void Endpoint::get(const ExchangePtr& exchange) {
    const net::Request& request = exchange->request();
    const Result<Sender> sender = sender_of(cell_.node, request);
    if (!sender) return respond(exchange, refused(sender.error()));
    const auto session = session_of(request, *sender);
    if (!session)
        return respond(exchange,
                       {404, kInvalidRequest, "Mcp-Session-Id: there is no such session", {}});
    if (net::preference(request.headers, kStreamType).weight == 0)
        return respond(exchange, {406, kInvalidRequest, "Accept: must take text/event-stream", {}});
    if (cell_.node.engine().session_count(session->user) >=
        static_cast<std::size_t>(limits::sessions_per_user_max))
        return respond(exchange, {429, kInvalidRequest, "this user has too many connections", {}});
    Wishes wishes;
    wishes.user = session->user;
    wishes.instance = sender->instance.value_or(session->instance);
    wishes.primes = session->version == kLegacy.front();
    if (registry_.lists_change)
        wishes.methods = {"notifications/tools/list_changed", "notifications/prompts/list_changed",
                          "notifications/resources/list_changed"};
    if (registry_.changed_resource != nullptr) {
        Sessions& sessions = cell_.commons.sessions;
        wishes.resource = [&sessions, serial = session->serial](const std::string& uri) {
            return sessions.is_subscribed(serial, uri);
        };
        wishes.resources = [&sessions, serial = session->serial] {
            return sessions.subscriptions(serial);
        };
    }
    // A place that does not parse is one that is not known: from here on.
    if (const auto last = request.header("last-event-id"))
        if (const Result<Position> position = Position::parse(*last)) wishes.resume = *position;
    stream_changes(cell_.node, cell_.pulse, cell_.listeners, registry_, exchange,
                   std::move(wishes));
}

void Endpoint::listen(Visit& visit) {
    Wishes wishes;
    std::set<std::string> uris;
    const auto asked = members_of(visit.params.notifications);
    if (!asked) return visit.refuse("notifications: must be an object; it says what to hear of");
    const std::string accepted = json::written(256, [&](json::Writer& out) {
        out.object([&] {
            for (const auto& [name, value] : *asked) {
                const bool wanted = value == "true" && registry_.lists_change;
                if (name == "toolsListChanged" && wanted) {
                    out.member("toolsListChanged", true);
                    wishes.methods.insert("notifications/tools/list_changed");
                } else if (name == "promptsListChanged" && wanted) {
                    out.member("promptsListChanged", true);
                    wishes.methods.insert("notifications/prompts/list_changed");
                } else if (name == "resourcesListChanged" && wanted) {
                    out.member("resourcesListChanged", true);
                    wishes.methods.insert("notifications/resources/list_changed");
                } else if (name == "resourceSubscriptions" &&
                           registry_.changed_resource != nullptr) {
                    out.member("resourceSubscriptions", json::Raw{value});
                    uris = strings_of(value);
                }
            }
        });
    });
    if (uris.size() > static_cast<std::size_t>(limits::mcp_subscriptions_max))
        return visit.refuse("notifications.resourceSubscriptions: at most " +
                            std::to_string(limits::mcp_subscriptions_max) +
                            " are allowed (mcp_subscriptions_max)");
    if (net::preference(visit.request().headers, kStreamType).weight == 0)
        return visit.refuse({406, kInvalidRequest, "Accept: must take text/event-stream", {}});
    wishes.subscription = visit.message.id;
    wishes.first = request_text(
        "notifications/subscriptions/acknowledged", json::written(256, [&](json::Writer& out) {
            out.object([&] {
                out.member("_meta").object("io.modelcontextprotocol/subscriptionId",
                                           json::Raw{visit.message.id});
                out.member("notifications", json::Raw{accepted});
            });
        }));
    wishes.user = visit.principal.user;
    wishes.instance = visit.instance;
    if (!uris.empty()) {
        wishes.resource = [uris](const std::string& uri) { return uris.contains(uri); };
        wishes.resources = [uris] { return uris; };
    }
    stream_changes(cell_.node, cell_.pulse, cell_.listeners, registry_, visit.exchange,
                   std::move(wishes));
}

// Lists of which there is one page, the same for everybody.
void Endpoint::list(Visit& visit, const std::string& members) {
    if (visit.params.cursor)
        return visit.refuse("cursor: is none that was given; this list has one page");
    const bool modern = visit.era == Era::modern;
    visit.answer("{" + members + (modern ? "," + std::string(kPublic) : "") +
                 tail(visit.era, Form::tool) + "}");
}

void Endpoint::list_resources(Visit& visit) {
    const std::string fixed = resource_rows(registry_, false);
    if (registry_.list_resources == nullptr) return list(visit, "\"resources\":[" + fixed + "]");
    const auto& cursor = visit.params.cursor;
    std::string arguments = "{}";
    if (cursor)
        arguments = json::written(64, [&](json::Writer& out) { out.object("cursor", *cursor); });
    run(visit, registry_.list_resources, Form::page, "", std::move(arguments),
        cursor ? std::string() : fixed);
}

void Endpoint::run(Visit& visit, Handler handler, Form form, std::string_view name,
                   std::string arguments, std::string first_page) {
    CallSpec spec;
    spec.handler = handler;
    spec.form = form;
    spec.era = visit.era;
    spec.digest = digest_of(visit.message.method, name, arguments);
    if (visit.era == Era::modern && form != Form::page && form != Form::completion) {
        spec.inputs = read_inputs(visit.params.input_responses);
        if (visit.params.state) {
            auto state = open_state(cell_, visit.principal.user, spec.digest, *visit.params.state);
            if (!state)
                return visit.refuse(
                    "requestState: is not what this call was given, or too old; call without it");
            spec.state = *std::move(state);
        }
    }
    const auto& meta = visit.params.meta;
    if (meta) {
        spec.progress_token = meta->progress_token;
        spec.log_level = meta->log_level.value_or("");
    }
    spec.serial = visit.session ? visit.session->serial : std::string();
    spec.arguments = std::move(arguments);
    spec.first_page = std::move(first_page);
    spec.request = {
        .version = visit.session ? visit.session->version : std::string(kModern),
        .capabilities = visit.session ? visit.session->capabilities
                                      : read_capabilities(meta ? meta->capabilities : ""),
        .principal = std::move(visit.principal),
        .instance = std::move(visit.instance),
        .id = visit.message.id,
        .method = visit.message.method,
        .params = visit.message.params,
    };
    LiveCall::start(cell_, visit.reply, std::move(spec));
}

void Endpoint::call_tool(Visit& visit) {
    const auto& name = visit.params.name;
    if (!name) return visit.refuse("name: names the tool");
    const auto tool = std::find_if(registry_.tools.begin(), registry_.tools.end(),
                                   [&](const Tool& row) { return row.name == *name; });
    if (tool == registry_.tools.end())
        return visit.refuse("name: there is no tool " + shown(*name) + "; tools/list lists them");
    std::string arguments(visit.params.arguments);
    if (arguments.empty()) arguments = "{}";
    if (!arguments.starts_with('{')) return visit.refuse("arguments: must be an object");
    if (visit.era == Era::modern)
        if (const auto bad = check_param_headers(visit.request(), tool->input_schema, arguments))
            return visit.refuse(*bad);
    run(visit, tool->call, Form::tool, tool->name, std::move(arguments));
}

void Endpoint::read(Visit& visit) {
    const auto& uri = visit.params.uri;
    if (!uri) return visit.refuse("uri: names the resource");
    std::string arguments = json::written(128, [&](json::Writer& out) { out.object("uri", *uri); });
    const ResourceRow* const row = find_resource(registry_, *uri);
    if (row == nullptr)
        return visit.refuse({200, visit.era == Era::modern ? kInvalidParams : kResourceNotFound,
                             "uri: there is no resource " + shown(*uri) +
                                 "; resources/list and resources/templates/list list them",
                             arguments});
    run(visit, row->read, Form::read, row->uri, std::move(arguments));
}

void Endpoint::get_prompt(Visit& visit) {
    const auto& name = visit.params.name;
    if (!name) return visit.refuse("name: names the prompt");
    for (const Prompt& prompt : registry_.prompts) {
        if (prompt.name != *name) continue;
        std::string arguments(visit.params.arguments);
        if (arguments.empty()) arguments = "{}";
        if (!arguments.starts_with('{')) return visit.refuse("arguments: must be an object");
        for (const PromptArgument& one : prompt.arguments)
            if (one.required && !text_member(arguments, one.name))
                return visit.refuse("arguments." + std::string(one.name) +
                                    ": is required, and must be a string");
        return run(visit, prompt.get, Form::prompt, prompt.name, std::move(arguments));
    }
    visit.refuse("name: there is no prompt " + shown(*name) + "; prompts/list lists them");
}

void Endpoint::complete(Visit& visit) {
    const Params& params = visit.params;
    if (!params.ref.starts_with('{')) return visit.refuse("ref: names a prompt or a template");
    if (!params.argument.starts_with('{') || !text_member(params.argument, "name") ||
        !text_member(params.argument, "value"))
        return visit.refuse("argument: must have a name and a value");
    const bool has_context = params.context.starts_with('{');
    run(visit, registry_.complete, Form::completion, "", json::written(256, [&](json::Writer& out) {
            out.object([&] {
                out.members("ref", json::Raw{params.ref}, "argument", json::Raw{params.argument});
                if (has_context) out.member("context", json::Raw{params.context});
            });
        }));
}

Gate::Gate(Node& node, std::shared_ptr<Commons> commons, std::span<const Mount> mounts)
    : commons_(std::move(commons)), cell_{node, *commons_, Pulse(node), {}} {
    for (const Mount& mount : mounts)
        endpoints_.push_back(std::make_unique<Endpoint>(cell_, mount));
}

Gate::~Gate() = default;

bool Gate::handle(const ExchangePtr& exchange) {
    const auto at = std::find_if(endpoints_.begin(), endpoints_.end(), [&](const auto& endpoint) {
        return endpoint->path() == exchange->request().path;
    });
    if (at == endpoints_.end()) return false;
    (*at)->handle(exchange);
    return true;
}

}  // namespace dyad::server::mcp
