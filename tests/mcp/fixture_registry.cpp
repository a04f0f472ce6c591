#include "mcp/fixture_registry.hpp"

#include "model/json_text.hpp"
#include "server/mcp/rpc.hpp"

#include <algorithm>
#include <atomic>

namespace dyad::test {
namespace {

using server::mcp::Call;
using server::mcp::InputRequest;
using server::mcp::InputResponse;
using server::mcp::members_of;
using server::mcp::Prompt;
using server::mcp::PromptArgument;
using server::mcp::Registry;
using server::mcp::ResourceRow;
using server::mcp::text_member;
using server::mcp::Tool;

#define PNG                                                                                      \
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5Erk" \
    "Jggg=="
#define WAV "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

constexpr std::string_view kNothing = R"({"type":"object","properties":{}})";

void say(Call& call, std::string_view text) {
    call.content("\"content\":" + json::written(64 + text.size(), [&](json::Writer& out) {
                     out.raw("[").object("type", "text", "text", text).raw("]");
                 }));
}

std::string called(const Call& call) {
    return text_member(call.request().params, "name").value_or("");
}

// ---- what only answers --------------------------------------------------------------------------

struct Fixed {
    std::string_view name;
    std::string_view content;
};
constexpr Fixed kFixed[] = {
    {"test_simple_text",
     R"([{"type":"text","text":"This is a simple text response for testing."}])"},
    {"test_image_content", R"([{"type":"image","data":")" PNG R"(","mimeType":"image/png"}])"},
    {"test_audio_content", R"([{"type":"audio","data":")" WAV R"(","mimeType":"audio/wav"}])"},
    {"test_embedded_resource",
     R"([{"type":"resource","resource":{"uri":"test://embedded-resource","mimeType":"text/plain",)"
     R"("text":"This is an embedded resource content."}}])"},
    {"test_multiple_content_types",
     R"([{"type":"text","text":"Multiple content types test:"},)"
     R"({"type":"image","data":")" PNG R"(","mimeType":"image/png"},)"
     R"({"type":"resource","resource":{"uri":"test://mixed-content-resource",)"
     R"("mimeType":"application/json","text":"{\"test\":\"data\",\"value\":123}"}}])"},
    {"test_reconnection", R"([{"type":"text","text":"Reconnection test completed."}])"},
    {"test_headers", R"([{"type":"text","text":"Headers evaluated"}])"},
    {"test_custom_headers", R"([{"type":"text","text":"Custom headers evaluated"}])"},
    {"json_schema_2020_12_tool", R"([{"type":"text","text":"JSON Schema 2020-12 tool called"}])"},
};

void fixed(Call& call) {
    for (const Fixed& row : kFixed)
        if (row.name == called(call)) call.content("\"content\":" + std::string(row.content));
}

void fails(Call& call) {
    call.failed(fail(Errc::invalid_field, "This tool intentionally returns an error for testing"));
}

// ---- what says something meanwhile
// ---------------------------------------------------------------

void in_steps(Call& call, int step, void (*say_step)(Call&, int), const char* end) {
    if (step == 3) return say(call, end);
    say_step(call, step);
    call.node().after(50, [held = call.shared_from_this(), step, say_step, end] {
        in_steps(*held, step + 1, say_step, end);
    });
}

void with_progress(Call& call) {
    in_steps(
        call, 0, [](Call& to, int step) { to.progress(step * 50, 100, "Completed step"); },
        "Tool with progress executed successfully");
}

void log_step(Call& call, int step) {
    constexpr const char* kTexts[] = {
        R"({"level":"info","data":"Tool execution started"})",
        R"({"level":"info","data":"Tool processing data"})",
        R"({"level":"info","data":"Tool execution completed"})",
    };
    call.notify("notifications/message", kTexts[step]);
}

void with_logging(Call& call) {
    in_steps(call, 0, log_step, "Tool with logging executed successfully");
}

std::atomic<int> cancelled = 0;  // calls of test_waits

void waits(Call& call) {
    call.on_cancel([] { ++cancelled; });
    constexpr std::int64_t kLongMs = 60'000;
    call.node().after(kLongMs, [held = call.shared_from_this()] { say(*held, "Waited"); });
}
void tell_cancelled(Call& call) {
    say(call, std::to_string(cancelled));
}

void tools_changed(Call& call) {
    call.notify("notifications/tools/list_changed", "{}");
    say(call, "Mutation triggered");
}
void prompts_changed(Call& call) {
    call.notify("notifications/prompts/list_changed", "{}");
    say(call, "Mutation triggered");
}

// ---- what asks
// -----------------------------------------------------------------------------------

struct Question {
    int round;
    const char* key;
    const char* method;
    const char* params;
};
struct Script {
    std::string_view name;
    const char* end;
    std::vector<Question> questions;
};

#define ELICIT(message, properties, required)                                                  \
    "elicitation/create", R"({"message":")" message R"(","requestedSchema":{"type":"object",)" \
                          R"("properties":{)" properties R"(},"required":[)" required "]}}"
#define SAMPLE(text)                                                            \
    "sampling/createMessage",                                                   \
        R"({"messages":[{"role":"user","content":{"type":"text","text":")" text \
        R"("}}],"maxTokens":100})"
#define ELICIT_TEXT(message, name) \
    ELICIT(message, "\"" name R"(":{"type":"string"})", "\"" name "\"")

const std::vector<Script>& scripts() {
    static const std::vector<Script> all = {
        {"test_sampling", "LLM response", {{0, "sample", SAMPLE("Test prompt")}}},
        {"test_missing_capability", "Success", {{0, "sample", SAMPLE("Test prompt")}}},
        {"test_elicitation",
         "User response",
         {{0, "input", ELICIT_TEXT("Please answer", "response")}}},
        {"test_streaming_elicitation",
         "Streaming complete",
         {{0, "input", ELICIT_TEXT("Please answer", "response")}}},
        {"test_elicitation_sep1034_defaults",
         "Elicitation completed",
         {{0, "input",
           ELICIT("Please review the defaults",
                  R"("name":{"type":"string","default":"John Doe"},)"
                  R"("age":{"type":"integer","default":30},)"
                  R"("score":{"type":"number","default":95.5},)"
                  R"("status":{"type":"string","enum":["active","inactive","pending"],)"
                  R"("default":"active"},"verified":{"type":"boolean","default":true})",
                  "")}}},
        {"test_elicitation_sep1330_enums",
         "Elicitation completed",
         {{0, "input",
           ELICIT("Please select",
                  R"("untitledSingle":{"type":"string","enum":["option1","option2","option3"]},)"
                  R"("titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First"},)"
                  R"({"const":"value2","title":"Second"},{"const":"value3","title":"Third"}]},)"
                  R"("legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],)"
                  R"("enumNames":["Option One","Option Two","Option Three"]},)"
                  R"("untitledMulti":{"type":"array","minItems":1,"maxItems":3,"items":)"
                  R"({"type":"string","enum":["option1","option2","option3"]}},)"
                  R"("titledMulti":{"type":"array","minItems":1,"maxItems":3,"items":{"anyOf":[)"
                  R"({"const":"value1","title":"First"},{"const":"value2","title":"Second"},)"
                  R"({"const":"value3","title":"Third"}]}})",
                  "")}}},
        {"test_input_required_result_elicitation",
         "Hello",
         {{0, "user_name", ELICIT_TEXT("What is your name?", "name")}}},
        {"test_input_required_result_sampling",
         "Sampling result",
         {{0, "capital_question", SAMPLE("What is the capital of France?")}}},
        {"test_input_required_result_list_roots",
         "Roots",
         {{0, "client_roots", "roots/list", "{}"}}},
        {"test_input_required_result_request_state",
         "state-ok",
         {{0, "confirm", ELICIT("Please confirm", R"("ok":{"type":"boolean"})", R"("ok")")}}},
        {"test_input_required_result_multiple_inputs",
         "All inputs",
         {{0, "user_name", ELICIT_TEXT("What is your name?", "name")},
          {0, "greeting", SAMPLE("Generate a greeting")},
          {0, "client_roots", "roots/list", "{}"}}},
        {"test_input_required_result_multi_round",
         "Multi-round complete",
         {{0, "step1", ELICIT_TEXT("Step 1: What is your name?", "name")},
          {1, "step2", ELICIT_TEXT("Step 2: What is your favorite color?", "color")}}},
        {"test_input_required_result_tampered_state",
         "integrity-ok",
         {{0, "confirm", ELICIT("Please confirm", R"("ok":{"type":"boolean"})", R"("ok")")}}},
        {"test_input_required_result_capabilities",
         "capabilities-ok",
         {{0, "elicit_input", ELICIT_TEXT("Elicitation input", "value")},
          {0, "sample_input", SAMPLE("Sample request")}}},
        {"test_input_required_result_prompt",
         "Prompt with context",
         {{0, "user_context", ELICIT_TEXT("What context should the prompt use?", "context")}}},
    };
    return all;
}

bool can_be_asked(const Call& call, std::string_view method) {
    const auto& can = call.request().capabilities;
    if (method == "sampling/createMessage") return can.sampling;
    return method == "roots/list" ? can.roots : can.elicitation_form;
}

// Round after round; who does not answer is asked again. The state is the round.
void ask_in_rounds(Call& call) {
    const std::string name = called(call);
    const auto script = std::find_if(scripts().begin(), scripts().end(),
                                     [&](const Script& one) { return one.name == name; });
    CHECK(script != scripts().end());
    const bool picks = name == "test_input_required_result_capabilities";
    const int asked = call.state().empty() ? 0 : std::stoi(call.state());
    std::string answers;
    bool complete = true;
    for (const Question& question : script->questions) {
        if (question.round != asked || (picks && !can_be_asked(call, question.method))) continue;
        const auto input =
            std::find_if(call.inputs().begin(), call.inputs().end(),
                         [&](const InputResponse& one) { return one.key == question.key; });
        complete &= input != call.inputs().end();
        if (input != call.inputs().end())
            answers += " " + input->key + "=" + input->action + ":" + input->content;
    }
    const int round = complete ? asked + 1 : asked;
    std::vector<InputRequest> wanted;
    for (const Question& question : script->questions)
        if (question.round == round && (!picks || can_be_asked(call, question.method)))
            wanted.push_back({question.key, question.method, question.params});
    if (!wanted.empty()) return call.ask(std::move(wanted), std::to_string(round));
    if (name == "test_input_required_result_prompt")
        return call.content(
            R"("messages":[{"role":"user","content":{"type":"text","text":"Prompt with context"}}])");
    say(call, script->end + answers);
}

// ---- the tables
// ----------------------------------------------------------------------------------

constexpr std::string_view kSchema2020 =
    R"({"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{)"
    R"("address":{"$anchor":"addressDef","type":"object","properties":{"street":{"type":"string"},)"
    R"("city":{"type":"string"}}}},"properties":{"name":{"type":"string"},"address":{"$ref":)"
    R"("#/$defs/address"},"contactMethod":{"type":"string","enum":["phone","email"]},"phone":)"
    R"({"type":"string"},"email":{"type":"string"}},"allOf":[{"anyOf":[{"required":["phone"]},)"
    R"({"required":["email"]}]}],"if":{"properties":{"contactMethod":{"const":"phone"}},)"
    R"("required":["contactMethod"]},"then":{"required":["phone"]},"else":{"required":["email"]},)"
    R"("additionalProperties":false})";
constexpr std::string_view kHeaderSchema =
    R"({"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"},)"
    R"("query":{"type":"string"}}})";

Tool tool(std::string_view name, server::mcp::Handler handler, std::string_view schema = kNothing) {
    return {.name = name,
            .title = name,
            .description = "A tool of the conformance suite",
            .input_schema = schema,
            .read_only = true,
            .idempotent = true,
            .call = handler};
}

std::vector<Tool> all_tools() {
    std::vector<Tool> tools;
    for (const Fixed& row : kFixed)
        tools.push_back(tool(row.name, fixed,
                             row.name == "json_schema_2020_12_tool" ? kSchema2020
                             : row.name == "test_custom_headers"    ? kHeaderSchema
                                                                    : kNothing));
    for (const Script& script : scripts())
        if (!script.name.ends_with("_prompt")) tools.push_back(tool(script.name, ask_in_rounds));
    tools.push_back(tool("test_error_handling", fails));
    tools.push_back(tool("test_tool_with_progress", with_progress));
    tools.push_back(tool("test_tool_with_logging", with_logging));
    tools.push_back(tool("test_logging_tool", with_logging));
    tools.push_back(tool("test_waits", waits));
    tools.push_back(tool("test_cancelled", tell_cancelled));
    tools.push_back(tool("test_trigger_tool_change", tools_changed));
    tools.push_back(tool("test_trigger_prompt_change", prompts_changed));
    return tools;
}

void read(Call& call) {
    const std::string uri = text_member(call.arguments(), "uri").value_or("");
    call.content("\"contents\":" + json::written(256, [&](json::Writer& out) {
                     out.raw("[")
                         .object([&] {
                             out.member("uri", uri);
                             if (uri.ends_with("binary")) {
                                 out.members("mimeType", "image/png", "blob", PNG);
                             } else if (uri.starts_with("test://template/")) {
                                 const std::string id = uri.substr(16, uri.size() - 16 - 5);
                                 out.members("mimeType", "application/json", "text",
                                             json::written(64, [&](json::Writer& text) {
                                                 text.object("id", id, "templateTest", true, "data",
                                                             "Data for ID: " + id);
                                             }));
                             } else {
                                 out.members("mimeType", "text/plain", "text",
                                             "This is the content of the static text resource.");
                             }
                         })
                         .raw("]");
                 }));
}

constexpr ResourceRow kResources[] = {
    {"test://static-text", "static-text", "Static Text", "A static text", "text/plain", read},
    {"test://static-binary", "static-binary", "Static Binary", "An image", "image/png", read},
    {"test://watched-resource", "watched-resource", "Watched", "It changes", "text/plain", read},
    {"test://template/{id}/data", "template", "Template", "By an id", "application/json", read},
};

void get_prompt(Call& call) {
    const std::string name = called(call);
    const auto argument = [&](std::string_view of) {
        return text_member(call.arguments(), of).value_or("");
    };
    std::string content = R"({"type":"text","text":"This is a simple prompt for testing."})";
    if (name == "test_prompt_with_arguments")
        content = json::written(128, [&](json::Writer& out) {
            out.object("type", "text", "text",
                       "Prompt with arguments: arg1='" + argument("arg1") + "', arg2='" +
                           argument("arg2") + "'");
        });
    if (name == "test_prompt_with_image")
        content = R"({"type":"image","data":")" PNG R"(","mimeType":"image/png"})";
    if (name == "test_prompt_with_embedded_resource")
        content = json::written(128, [&](json::Writer& out) {
            out.object([&] {
                out.member("type", "resource");
                out.member("resource")
                    .object("uri", argument("resourceUri"), "mimeType", "text/plain", "text",
                            "Embedded resource content");
            });
        });
    call.content("\"messages\":[{\"role\":\"user\",\"content\":" + content +
                 R"(},{"role":"user","content":{"type":"text","text":"Please process it."}}])");
}

std::vector<Prompt> all_prompts() {
    const auto row = [](std::string_view name, std::vector<PromptArgument> arguments,
                        server::mcp::Handler handler) {
        return Prompt{name, name, "A prompt of the conformance suite", std::move(arguments),
                      handler};
    };
    return {
        row("test_simple_prompt", {}, get_prompt),
        row("test_prompt_with_arguments", {{"arg1", "First", true}, {"arg2", "Second", true}},
            get_prompt),
        row("test_prompt_with_embedded_resource", {{"resourceUri", "URI", true}}, get_prompt),
        row("test_prompt_with_image", {}, get_prompt),
        row("test_input_required_result_prompt", {}, ask_in_rounds),
    };
}

void complete(Call& call) {
    call.content(R"("completion":{"values":[],"total":0,"hasMore":false})");
}

// A context is the resource of its key.
std::string changed_resource(const EventView& event) {
    constexpr std::string_view kScope = "ctx:";
    return event.scope.starts_with(kScope) ? event.scope.substr(kScope.size()) : std::string();
}

}  // namespace

const Registry& fixture_registry() {
    static const std::vector<Tool> tools = all_tools();
    static const std::vector<Prompt> prompts = all_prompts();
    static const Registry registry{.instructions = "For tests",
                                   .tools = tools,
                                   .resources = kResources,
                                   .prompts = prompts,
                                   .complete = complete,
                                   .changed_resource = changed_resource,
                                   .lists_change = true,
                                   .logs = true};
    return registry;
}

}  // namespace dyad::test
