// The REST interface without a socket: a node over the simulated store in virtual time, and
// exchanges that keep what they were answered.
#pragma once

#include "bus/local/local_bus.hpp"
#include "model/json.hpp"
#include "net/http.hpp"
#include "server/rest/api.hpp"
#include "sim_store/event_queue.hpp"
#include "sim_store/seeded_random.hpp"
#include "sim_store/sim_database.hpp"
#include "sim_store/sim_store.hpp"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dyad::test {

class FakeExchange final : public server::Exchange {
  public:
    explicit FakeExchange(net::Request request) : request_(std::move(request)) {}

    const net::Request& request() const override { return request_; }
    void respond(net::Response response) override {
        CHECK(!answer && !streaming);
        answer = std::move(response);
    }
    void begin_stream(std::string content_type) override {
        CHECK(!answer && !streaming);
        streaming = true;
        stream_type = std::move(content_type);
    }
    bool write(std::string bytes) override {
        stream += bytes;
        return !full;
    }
    void on_writable(std::function<void()> call) override { writable = std::move(call); }
    void on_closed(std::function<void()> call) override { closed = std::move(call); }
    void end_stream() override { ended = true; }

    // The client goes away.
    void hang_up() {
        const std::function<void()> call = std::exchange(closed, nullptr);
        if (call) call();
    }

    std::optional<net::Response> answer;
    bool streaming = false;
    bool ended = false;
    bool full = false;
    std::string stream_type;
    std::string stream;
    std::function<void()> writable;
    std::function<void()> closed;

  private:
    net::Request request_;
};

struct Answer {
    int status = 0;
    std::string type;
    std::string body;
    net::Headers headers;
    json::Value json;  // null where the body is not JSON

    std::string header(std::string_view name) const {
        for (const auto& [key, value] : headers)
            if (key == name) return value;
        return "";
    }
    std::string text(std::string_view pointer) const {
        const auto* found = at(pointer);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    }
    std::int64_t number(std::string_view pointer) const {
        const auto* found = at(pointer);
        return found != nullptr && found->is_int64() ? found->get_int64() : -1;
    }
    const json::Value* at(std::string_view pointer) const {
        boost::system::error_code error;
        return json.find_pointer(pointer, error);
    }
};

class RestRig final : public server::Node {
  public:
    RestRig()
        : store_(queue_, database_, 7),
          bus_(hub_, [] {}),
          random_(11),
          engine_({}, {clock_, random_, store_, store_, bus_, renderer_}),
          api_(*this) {
        settings_.user_id = "ada";
    }
    // As a server that stops: every client that is still there goes.
    ~RestRig() override {
        for (const auto& exchange : opened_)
            if (const auto open = exchange.lock()) open->hang_up();
    }

    // Sends the request and waits for the whole answer.
    Answer ask(const std::string& method, const std::string& target, const std::string& body = "",
               net::Headers headers = {}) {
        const auto exchange = open(method, target, body, std::move(headers));
        run();
        CHECK(exchange->answer.has_value());
        Answer answer;
        answer.status = exchange->answer->status;
        answer.type = exchange->answer->content_type;
        answer.body = exchange->answer->body;
        answer.headers = exchange->answer->headers;
        if (const auto value = json::parse(answer.body)) answer.json = *value;
        return answer;
    }
    Answer put(const std::string& key, const std::string& body, net::Headers headers = {}) {
        return ask("PUT", "/api/v1/contexts/" + key, body, std::move(headers));
    }
    // Sends the request and waits for nothing.
    std::shared_ptr<FakeExchange> open(const std::string& method, const std::string& target,
                                       const std::string& body = "", net::Headers headers = {}) {
        std::string text = method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n";
        bool typed = false;
        for (const auto& [name, value] : headers) {
            text.append(name).append(": ").append(value).append("\r\n");
            typed = typed || name == "Content-Type";
        }
        if (!body.empty() && !typed) text.append("Content-Type: application/json\r\n");
        text.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
        text.append(body);
        net::RequestReader reader;
        std::string_view bytes = text;
        while (!bytes.empty()) {
            const auto state = reader.feed(bytes);
            CHECK(state.has_value());
        }
        CHECK(reader.state() == net::RequestReader::State::complete);
        auto exchange = std::make_shared<FakeExchange>(reader.take());
        opened_.push_back(exchange);
        api_.handle(exchange);
        return exchange;
    }
    // Lets time pass.
    void run(std::int64_t ms = 50) {
        for (std::int64_t i = 0; i < ms; ++i) {
            engine_.flush();
            queue_.run_until(queue_.now_us() + 1000);
        }
        engine_.flush();
    }

    server::Settings& change_settings() { return settings_; }
    sim::SimStore& sim_store() { return store_; }
    sim::SimDatabase& database() { return database_; }
    bool drains = false;

    const server::Settings& settings() const override { return settings_; }
    const std::string& instance_id() const override { return instance_id_; }
    std::int64_t started_at_ms() const override { return 1'700'000'000'000; }
    core::Engine& engine() override { return engine_; }
    Store& store() override { return store_; }
    const Bus& bus() const override { return bus_; }
    Clock& clock() override { return clock_; }
    Random& random() override { return random_; }
    std::size_t live_client_count() const override { return engine_.session_count(); }
    bool draining() const override { return drains; }
    void post(std::function<void()> work) override { after(0, std::move(work)); }
    void after(std::int64_t delay_ms, std::function<void()> call) override {
        queue_.after(delay_ms * 1000, std::move(call));
    }
    std::uint16_t port() const override { return 8765; }

  private:
    class QueueClock final : public Clock {
      public:
        explicit QueueClock(const sim::EventQueue& queue) : queue_(queue) {}
        std::int64_t wall_ms() const override { return 1'700'000'000'000 + steady_ms(); }
        std::int64_t steady_ms() const override { return queue_.now_us() / 1000; }

      private:
        const sim::EventQueue& queue_;
    };

    class NoPlainClients final : public core::Renderer {
      public:
        void render_plain(std::string_view, const EventOrigin&, const Change&,
                          std::string&) const override {}
    };

    sim::EventQueue queue_;
    sim::SimDatabase database_;
    sim::SimStore store_;
    bus::LocalHub hub_;
    bus::LocalBus bus_;
    sim::SeededRandom random_;
    QueueClock clock_{queue_};
    NoPlainClients renderer_;
    server::Settings settings_;
    std::string instance_id_ = "6f1c8a2e-0000-4000-8000-000000000001";
    core::Engine engine_;
    server::rest::Api api_;
    std::vector<std::weak_ptr<FakeExchange>> opened_;
};

}  // namespace dyad::test
