#include "cli/http_client.hpp"

#include "base/clock.hpp"
#include "cli/curl.hpp"
#include "cli/terminal.hpp"
#include "cli/text.hpp"

#include <algorithm>
#include <limits>

#include <unistd.h>

namespace dyad::cli {
namespace {

// One value must not become two lines of the head.
bool is_line(std::string_view text) {
    return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
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
        if (!request.body.empty() || request.method.starts_with('P')) {
            handle_.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
            handle_.set(CURLOPT_POSTFIELDS, request.body.c_str());
        }
        handle_.set(CURLOPT_WRITEFUNCTION, &Exchange::on_body);
        handle_.set(CURLOPT_WRITEDATA, this);
    }

    Result<ClientResponse> run() {
        const std::unique_ptr<CURLM, CURLMcode (*)(CURLM*)> multi(DYAD_CURL(curl_multi_init)(),
                                                                  DYAD_CURL(curl_multi_cleanup));
        CHECK(DYAD_CURL(curl_multi_add_handle)(multi.get(), handle_.get()) == CURLM_OK);
        const CURLcode code = drive(multi.get());
        DYAD_CURL(curl_multi_remove_handle)(multi.get(), handle_.get());
        if (code != CURLE_OK && !had_enough_) return handle_.error(code);
        read_head();
        return std::move(response_);
    }

  private:
    void add_line(const std::string& line) {
        curl_slist* const longer = DYAD_CURL(curl_slist_append)(lines_.release(), line.c_str());
        CHECK(longer != nullptr);
        lines_.reset(longer);
    }

    CURLcode drive(CURLM* multi) {
        const SystemClock clock;
        std::int64_t last_ms = clock.steady_ms();
        for (curl_off_t seen = -1;;) {
            int running = 0;
            CHECK(DYAD_CURL(curl_multi_perform)(multi, &running) == CURLM_OK);
            if (running == 0) break;
            if (request_.interrupt != nullptr && request_.interrupt->asked())
                return CURLE_OPERATION_TIMEDOUT;
            const std::int64_t now_ms = clock.steady_ms();
            if (const curl_off_t moved = bytes_moved(); moved != seen) {
                seen = moved;
                last_ms = now_ms;
            }
            const std::int64_t limit_ms =
                response_.streamed ? request_.silence_ms : request_.timeout_ms;
            if (now_ms - last_ms >= limit_ms) return CURLE_OPERATION_TIMEDOUT;
            wait(multi, limit_ms - (now_ms - last_ms));
        }
        int left = 0;
        const CURLMsg* const message = DYAD_CURL(curl_multi_info_read)(multi, &left);
        CHECK(message != nullptr && message->msg == CURLMSG_DONE);
        return message->data.result;
    }

    void wait(CURLM* multi, std::int64_t ms) {
        curl_waitfd others[2];
        unsigned count = 0;
        if (request_.interrupt != nullptr)
            others[count++] = {request_.interrupt->fd(), CURL_WAIT_POLLIN, 0};
        if (request_.for_reader) others[count++] = {STDOUT_FILENO, 0, 0};
        const auto wait_ms =
            static_cast<int>(std::min<std::int64_t>(ms, std::numeric_limits<int>::max()));
        CHECK(DYAD_CURL(curl_multi_poll)(multi, others, count, wait_ms, nullptr) == CURLM_OK);
        if (request_.for_reader && reader_is_gone()) end_without_reader();
    }

    // Grows with every sign of life.
    curl_off_t bytes_moved() const {
        curl_off_t moved = handle_.info<long>(CURLINFO_HEADER_SIZE) + (handle_.connected() ? 1 : 0);
        for (const CURLINFO what :
             {CURLINFO_SIZE_UPLOAD_T, CURLINFO_SIZE_DOWNLOAD_T, CURLINFO_APPCONNECT_TIME_T})
            moved += handle_.info<curl_off_t>(what);
        return moved;
    }

    void read_head() {
        if (response_.status != 0) return;
        response_.status = static_cast<int>(handle_.info<long>(CURLINFO_RESPONSE_CODE));
        curl_header* header = nullptr;
        while ((header = DYAD_CURL(curl_easy_nextheader)(handle_.get(), CURLH_HEADER, -1,
                                                         header)) != nullptr)
            response_.headers.emplace_back(to_lower(header->name), header->value);
    }

    static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
        Exchange& exchange = *static_cast<Exchange*>(self);
        exchange.read_head();
        const ClientRequest& request = exchange.request_;
        ClientResponse& response = exchange.response_;
        response.streamed =
            request.on_body && response.status == 200 &&
            response.header("content-type").value_or("").starts_with(request.stream_type);
        if (!response.streamed) {
            response.body.append(bytes, size);
            return size;
        }
        exchange.had_enough_ = !request.on_body(std::string_view(bytes, size));
        return exchange.had_enough_ ? CURL_WRITEFUNC_ERROR : size;
    }

    CurlHandle handle_;
    const ClientRequest& request_;
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> lines_{nullptr,
                                                              DYAD_CURL(curl_slist_free_all)};
    ClientResponse response_;
    bool had_enough_ = false;  // whoever takes the stream
};

}  // namespace

std::optional<std::string_view> ClientResponse::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (key == name) return value;
    return std::nullopt;
}

Result<ClientResponse> http_request(const Url& url, const ClientRequest& request) {
    const bool good =
        is_line(request.method) && is_line(request.target) &&
        std::all_of(request.headers.begin(), request.headers.end(), [](const auto& header) {
            return is_line(header.first) && is_line(header.second);
        });
    if (good) return Exchange(url, request).run();
    return fail(Errc::invalid_field, "a line break or NUL stands in the head of the request");
}

}  // namespace dyad::cli
