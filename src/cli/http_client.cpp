#include "cli/http_client.hpp"

#include "base/clock.hpp"
#include "cli/curl_handle.hpp"
#include "cli/terminal.hpp"

#include <algorithm>
#include <limits>

#include <unistd.h>

namespace dyad::cli {
namespace {

// One value must not become two lines of the head.
Status check_head(const ClientRequest& request) {
    const auto is_line = [](std::string_view text) {
        return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
    };
    bool good = is_line(request.method) && is_line(request.target);
    for (const auto& [name, value] : request.headers)
        good = good && is_line(name) && is_line(value);
    if (good) return Done{};
    return fail(Errc::invalid_field, "a line break or NUL stands in the head of the request");
}

// One request and its answer.
class Exchange {
  public:
    Exchange(const Url& url, const ClientRequest& request)
        : handle_(url, request.target, request.timeout_ms), request_(request) {
        add_line("Connection: close");
        add_line("Expect:");  // the body is sent without being asked for
        bool typed = false;
        for (const auto& [name, value] : request.headers) {
            typed = typed || name == "Content-Type";
            add_line(value.empty() ? name + ";" : name + ": " + value);
        }
        if (!typed) add_line("Content-Type:");  // libcurl's own would be a form's
        handle_.set(CURLOPT_HTTPHEADER, lines_.get());
        handle_.set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
        if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
            request.method == "PATCH") {
            handle_.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            handle_.set(CURLOPT_POSTFIELDS, request.body.c_str());
        }
        handle_.set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
        handle_.set(CURLOPT_WRITEDATA, this);
    }

    void stream(std::string_view content_type, std::int64_t silence_ms,
                const std::function<bool(std::string_view)>& call) {
        content_type_ = content_type;
        silence_ms_ = silence_ms;
        call_ = &call;
    }

    Result<ClientResponse> run() {
        const std::unique_ptr<CURLM, decltype(CurlLibrary::multi_cleanup)> multi(
            curl().multi_init(), curl().multi_cleanup);
        CHECK(multi != nullptr && curl().multi_add_handle(multi.get(), handle_.get()) == CURLM_OK);
        const CURLcode code = drive(multi.get());
        curl().multi_remove_handle(multi.get(), handle_.get());
        if (code != CURLE_OK && !had_enough_) return handle_.error(code);
        read_head();
        return std::move(response_);
    }

  private:
    void add_line(const std::string& line) {
        curl_slist* const longer = curl().slist_append(lines_.get(), line.c_str());
        CHECK(longer != nullptr);
        static_cast<void>(lines_.release());
        lines_.reset(longer);
    }

    CURLcode drive(CURLM* multi) {
        std::int64_t last_ms = clock_.steady_ms();
        for (curl_off_t seen = -1;;) {
            int running = 0;
            CHECK(curl().multi_perform(multi, &running) == CURLM_OK);
            if (running == 0) break;
            if (request_.ended && request_.ended()) return CURLE_OPERATION_TIMEDOUT;
            const std::int64_t now_ms = clock_.steady_ms();
            if (const curl_off_t moved = bytes_moved(); moved != seen) {
                seen = moved;
                last_ms = now_ms;
            }
            const std::int64_t limit_ms = streams_ ? silence_ms_ : request_.timeout_ms;
            if (now_ms - last_ms >= limit_ms) return CURLE_OPERATION_TIMEDOUT;
            wait(multi, limit_ms - (now_ms - last_ms));
        }
        int left = 0;
        const CURLMsg* const message = curl().multi_info_read(multi, &left);
        CHECK(message != nullptr && message->msg == CURLMSG_DONE);
        return message->data.result;
    }

    void wait(CURLM* multi, std::int64_t ms) {
        curl_waitfd others[2];
        unsigned count = 0;
        if (request_.wake_fd >= 0) others[count++] = {request_.wake_fd, CURL_WAIT_POLLIN, 0};
        if (request_.for_reader) others[count++] = {STDOUT_FILENO, 0, 0};
        const auto wait_ms =
            static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
        CHECK(curl().multi_poll(multi, others, count, wait_ms, nullptr) == CURLM_OK);
        if (request_.for_reader && reader_is_gone()) end_without_reader();
    }

    // Grows with every sign of life.
    curl_off_t bytes_moved() const {
        curl_off_t up = 0, down = 0, connected = 0;
        long head = 0;
        curl().easy_getinfo(handle_.get(), CURLINFO_SIZE_UPLOAD_T, &up);
        curl().easy_getinfo(handle_.get(), CURLINFO_SIZE_DOWNLOAD_T, &down);
        curl().easy_getinfo(handle_.get(), CURLINFO_HEADER_SIZE, &head);
        curl().easy_getinfo(handle_.get(), CURLINFO_APPCONNECT_TIME_T, &connected);
        return up + down + head + connected + (handle_.connected() ? 1 : 0);
    }

    void read_head() {
        if (response_.status != 0) return;
        long status = 0;
        curl().easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
        response_.status = static_cast<int>(status);
        const curl_header* header = nullptr;
        while ((header = curl().easy_nextheader(handle_.get(), CURLH_HEADER, -1,
                                                const_cast<curl_header*>(header))) != nullptr) {
            std::string name(header->name);
            for (char& c : name)
                if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
            response_.headers.emplace_back(std::move(name), header->value);
        }
    }

    static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
        Exchange& exchange = *static_cast<Exchange*>(self);
        exchange.read_head();
        const ClientResponse& response = exchange.response_;
        exchange.streams_ =
            exchange.call_ != nullptr && response.status == 200 &&
            response.header("content-type").value_or("").starts_with(exchange.content_type_);
        if (!exchange.streams_) {
            exchange.response_.body.append(bytes, size);
            return size;
        }
        exchange.had_enough_ = !(*exchange.call_)(std::string_view(bytes, size));
        return exchange.had_enough_ ? CURL_WRITEFUNC_ERROR : size;
    }

    CurlHandle handle_;
    const ClientRequest& request_;
    std::unique_ptr<curl_slist, decltype(CurlLibrary::slist_free_all)> lines_{
        nullptr, curl().slist_free_all};
    ClientResponse response_;
    std::string content_type_;  // of a body that is handed over as it comes
    std::int64_t silence_ms_ = 0;
    const std::function<bool(std::string_view)>* call_ = nullptr;
    bool streams_ = false;
    bool had_enough_ = false;
    SystemClock clock_;
};

}  // namespace

std::optional<std::string_view> ClientResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request) {
    if (const Status good = check_head(request); !good) return good.error();
    return Exchange(url, request).run();
}

Result<ClientResponse> http_stream(const Url& url, const ClientRequest& request,
                                   std::string_view content_type, std::int64_t silence_ms,
                                   const std::function<bool(std::string_view)>& on_body) {
    if (const Status good = check_head(request); !good) return good.error();
    Exchange exchange(url, request);
    exchange.stream(content_type, silence_ms, on_body);
    return exchange.run();
}

Status try_connect(const Url& url, std::int64_t timeout_ms) {
    CurlHandle handle(url, "/", timeout_ms);
    handle.set(CURLOPT_CONNECT_ONLY, 1L);
    const CURLcode code = curl().easy_perform(handle.get());
    if (code != CURLE_OK) return handle.error(code);
    return Done{};
}

}  // namespace dyad::cli
