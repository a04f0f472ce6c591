// The product's tools without a protocol: calls that keep what they were answered, over the node of
// rest_rig.hpp.
#pragma once

#include "model/json.hpp"
#include "server/mcp/product/product.hpp"
#include "support/rest_rig.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace dyad::test {

namespace mcp = server::mcp;

class FakeCall final : public mcp::Call {
  public:
    FakeCall(server::Node& node, mcp::Request request, std::string arguments)
        : node_(node), request_(std::move(request)), arguments_(std::move(arguments)) {}

    server::Node& node() override { return node_; }
    const mcp::Request& request() const override { return request_; }
    const std::string& arguments() const override { return arguments_; }
    const std::vector<mcp::InputResponse>& inputs() const override { return inputs_; }
    const std::string& state() const override { return state_; }

    void result(std::string structured) override { answer("result", std::move(structured)); }
    void content(std::string members) override { answer("content", "{" + members + "}"); }
    void failed(const Error& error, std::string structured) override {
        detail = error.detail;
        code = error.code;
        answer("failed", structured.empty() ? "null" : std::move(structured));
    }
    void refused(const Error& error) override {
        detail = error.detail;
        code = error.code;
        answer("refused", "null");
    }
    void ask(std::vector<mcp::InputRequest>, std::string) override { answer("ask", "null"); }
    void progress(double, std::optional<double>, std::string_view) override {}
    void notify(std::string_view, std::string) override {}
    void on_cancel(std::function<void()> call) override { cancel = std::move(call); }

    bool answered() const { return !how.empty(); }
    const json::Value* at(std::string_view pointer) const {
        boost::system::error_code error;
        return json.find_pointer(pointer, error);
    }
    std::string text(std::string_view pointer) const {
        const auto* found = at(pointer);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    }
    std::int64_t number(std::string_view pointer) const {
        const auto* found = at(pointer);
        return found != nullptr && found->is_int64() ? found->get_int64() : -1;
    }
    std::size_t count(std::string_view pointer) const {
        const auto* found = at(pointer);
        return found != nullptr && found->is_array() ? found->get_array().size() : SIZE_MAX;
    }

    std::string how;  // it was answered; empty: not yet
    std::string body;
    json::Value json;
    std::string detail;
    std::optional<Errc> code;
    std::function<void()> cancel;

  private:
    void answer(std::string as, std::string said) {
        CHECK(how.empty());  // once
        how = std::move(as);
        const auto value = json::parse(said);
        CHECK(value.has_value());
        json = *value;
        body = std::move(said);
    }

    server::Node& node_;
    mcp::Request request_;
    std::string arguments_;
    std::vector<mcp::InputResponse> inputs_;
    std::string state_;
};
using FakeCallPtr = std::shared_ptr<FakeCall>;

class McpRig {
  public:
    // Calls the handler and waits for nothing.
    FakeCallPtr begin(mcp::Handler handler, std::string arguments) {
        mcp::Request request;
        request.version = "2026-07-28";
        request.principal.user = user;
        request.instance = instance;
        request.params = "{}";
        const auto call = std::make_shared<FakeCall>(rig, std::move(request), std::move(arguments));
        handler(*call);
        return call;
    }
    FakeCallPtr begin(std::string_view tool, std::string arguments) {
        return begin(handler_of(tool), std::move(arguments));
    }
    // ... and waits for the answer.
    template <class Which>
    FakeCallPtr call(const Which& which, std::string arguments) {
        const FakeCallPtr call = begin(which, std::move(arguments));
        rig.run();
        CHECK(call->answered());
        return call;
    }
    // What it answers, which must be no failure.
    FakeCallPtr ask(std::string_view tool, std::string arguments) {
        const FakeCallPtr answer = call(tool, std::move(arguments));
        if (answer->how != "result") {
            fprintf(stderr, "%s: %s\n", answer->how.c_str(), answer->detail.c_str());
            CHECK(answer->how == "result");
        }
        return answer;
    }
    FakeCallPtr set(const std::string& key, const std::string& value,
                    const std::string& more = "") {
        return ask("memory_set", R"({"key":")" + key + R"(","value":)" + value + more + "}");
    }
    static mcp::Handler handler_of(std::string_view tool) {
        for (const mcp::Tool& one : mcp::product_registry().tools)
            if (one.name == tool) return one.call;
        for (const mcp::Prompt& one : mcp::product_registry().prompts)
            if (one.name == tool) return one.get;
        CHECK(false);
    }

    RestRig rig;
    std::string user = "ada";
    std::string instance = "claude";
};

}  // namespace dyad::test
