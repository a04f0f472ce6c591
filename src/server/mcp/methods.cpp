#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "server/mcp/visit.hpp"

#include <algorithm>

namespace dyad::server::mcp {
namespace {

constexpr std::string_view kPublic = R"(,"ttlMs":300000,"cacheScope":"public")";

}  // namespace

void Endpoint::discover(Visit& visit) {
    visit.answer(json::written(1024, [&](json::Writer& out) {
        out.object([&] {
            out.members("supportedVersions", json::Raw{kSupported}, "capabilities",
                        json::Raw{capabilities_of(registry_, Era::modern)}, "instructions",
                        registry_.instructions);
            out.raw(kPublic);
            write_tail(out, Era::modern, Form::tool);
        });
    }));
}

void Endpoint::initialize(Visit& visit) {
    Session session;
    session.serial = station_->node.random().uuid4();
    session.version = negotiated(visit.params.protocol_version.value_or(""));
    session.user = visit.principal.user;
    session.instance = visit.instance;
    session.capabilities = read_capabilities(visit.params.capabilities);
    const std::string id = station_->switchboard->sessions.begin(path_, session);
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
    if (!station_->switchboard->sessions.subscribe(visit.session->serial, *visit.params.uri))
        return visit.refuse("this session has " + std::to_string(limits::mcp_subscriptions_max) +
                            " subscriptions (mcp_subscriptions_max); end one first");
    answer_subscription(visit, Topic::subscribed);
}

void Endpoint::unsubscribe(Visit& visit) {
    if (!visit.params.uri) return visit.refuse("uri: names the resource");
    station_->switchboard->sessions.unsubscribe(visit.session->serial, *visit.params.uri);
    answer_subscription(visit, Topic::unsubscribed);
}

void Endpoint::answer_subscription(const Visit& visit, Topic topic) {
    core::Engine& engine = station_->node.engine();
    engine.tell(
        {.topic = topic, .session = visit.session->serial, .entries = {{*visit.params.uri, 0}}});
    engine.when_told([reply = visit.reply, text = result_text(visit.message.id, "{}")] {
        reply->answer(200, text);
    });
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
    if (const auto bad = no_stream(visit.request(), visit.principal.user))
        return visit.refuse(*bad);
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
    stream_changes(station_->node, station_->pulse, station_->listeners, registry_, visit.exchange,
                   std::move(wishes));
}

// Lists of which there is one page, the same for everybody.
void Endpoint::list(Visit& visit, const std::string& members) {
    if (visit.params.cursor)
        return visit.refuse("cursor: is none that was given; this list has one page");
    visit.answer(json::written(members.size() + 256, [&](json::Writer& out) {
        out.object([&] {
            out.raw(",").raw(members);
            if (visit.era == Era::modern) out.raw(kPublic);
            write_tail(out, visit.era, Form::tool);
        });
    }));
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
    const auto& meta = visit.params.meta;
    if (meta) {
        if (!meta->progress_token.starts_with('{') && !meta->progress_token.starts_with('['))
            spec.progress_token = meta->progress_token;
        spec.log_level = meta->log_level.value_or("");
    }
    spec.serial = visit.session ? visit.session->serial : std::string();
    spec.name = name;
    spec.arguments = std::move(arguments);
    spec.first_page = std::move(first_page);
    const bool may_ask = visit.era == Era::modern && form != Form::page && form != Form::completion;
    if (may_ask) spec.inputs = read_inputs(visit.params.input_responses);
    spec.request = {
        .version = visit.session ? visit.session->version : std::string(kModern),
        .capabilities = visit.session ? visit.session->capabilities
                                      : read_capabilities(meta ? meta->capabilities : ""),
        .principal = std::move(visit.principal),
        .instance = std::move(visit.instance),
        .id = visit.message.id,
        .method = visit.message.method,
        .params = std::move(visit.message.params),  // of which nothing is read any more
    };
    if (may_ask && visit.params.state) {
        auto state = open_state(*station_, spec, *visit.params.state);
        if (!state)
            return visit.refuse(
                "requestState: is not what this call was given, or too old; call without it");
        spec.state = *std::move(state);
    }
    LiveCall::start(station_, visit.reply, std::move(spec));
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

}  // namespace dyad::server::mcp
