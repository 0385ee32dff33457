# What citizens are told by SMS and mail. SMS is unaccented (GSM-7), without a link, the code first.
activation-code-sms = { $code } la ma kich hoat Ky So. KHONG doc ma nay cho bat ky ai, ke ca nhan vien. Het han sau { $minutes } phut.
activation-code-subject = Mã kích hoạt Ký Số
activation-code-mail = Mã kích hoạt của ông/bà là: { $code }

    Mã có hiệu lực trong { $minutes } phút. Không đọc mã này cho bất kỳ ai; nhân viên không bao giờ hỏi mã.
    Nếu ông/bà không đăng ký chữ ký số, hãy bỏ qua thư này.
resumption-code-sms = { $code } la ma mo lai ho so Ky So tren may khac. KHONG doc cho bat ky ai, ke ca nhan vien. Het han sau { $minutes } phut.
resumption-code-subject = Mã mở lại hồ sơ Ký Số
resumption-code-mail = Mã mở lại hồ sơ trên máy khác là: { $code }

    Mã có hiệu lực trong { $minutes } phút. Không đọc mã này cho bất kỳ ai; nhân viên không bao giờ hỏi mã.
    Nếu ông/bà không mở lại hồ sơ, hãy bỏ qua thư này.
device-code-sms = { $code } la ma gan dien thoai NAY voi chu ky so Ky So. KHONG doc cho bat ky ai, ke ca nhan vien. Het han sau { $minutes } phut.
    @{ $domain } #{ $code }
device-code-subject = Mã gắn điện thoại với Ký Số
device-code-mail = Mã gắn điện thoại này với chữ ký số của ông/bà là: { $code }

    Nhập mã trong Ký Số cùng với mã PIN ông/bà chọn. Ai có mã này đều có thể gắn điện thoại với chữ ký số của ông/bà:
    không đọc mã cho bất kỳ ai; nhân viên không bao giờ hỏi mã. Mã có hiệu lực trong { $minutes } phút.
    Nếu lúc này ông/bà không cài đặt điện thoại, hãy bỏ qua thư này.
approved-sms = Ky So: Ho so { $reference } da duoc duyet. Mo bieu tuong Ky So (hoac quet ma tren to huong dan) de ky nghiem thu. Ky So khong gui duong dan.
approved-subject = Hồ sơ { $reference } đã được duyệt
approved-mail = Hồ sơ { $reference } đã được duyệt.

    Mở biểu tượng Ký Số trên điện thoại (hoặc quét mã trên tờ hướng dẫn), đặt mã PIN và ký nghiệm thu để bắt đầu dùng chữ ký số.
    Ký Số không gửi đường dẫn trong thư.
supplement-sms = Ky So: Ho so { $reference } can bo sung. Mo bieu tuong Ky So de xem can lam gi. Ky So khong gui duong dan.
supplement-subject = Hồ sơ { $reference } cần bổ sung
supplement-mail = Hồ sơ { $reference } cần bổ sung một số thông tin.

    Mở biểu tượng Ký Số trên điện thoại để xem cần chụp lại hoặc sửa lại mục nào. Các mục khác được giữ nguyên.
rejected-sms = Ky So: Ho so { $reference } chua duoc duyet. Mo bieu tuong Ky So de xem ly do va cach lam tiep, hoac goi { $hotline }.
rejected-subject = Hồ sơ { $reference } chưa được duyệt
rejected-mail = Hồ sơ { $reference } chưa được duyệt.

    Mở biểu tượng Ký Số trên điện thoại để xem lý do và cách làm tiếp, hoặc gọi { $hotline }.
complete-sms = Ky So: Chu ky so cua ong/ba da san sang. Khong cho ai biet ma PIN. Can giup: { $hotline }.
complete-subject = Chữ ký số đã sẵn sàng
complete-mail = Chữ ký số của ông/bà đã sẵn sàng.

    Không cho ai biết mã PIN, kể cả người nhà và cán bộ. Mất điện thoại: gọi ngay { $hotline } để khóa.
resumed-sms = Ky So: Ho so { $reference } vua duoc mo lai TREN MAY KHAC; may cu khong mo duoc nua. Khong phai ong/ba? Goi ngay { $hotline }.
resumed-subject = Hồ sơ { $reference } được mở lại trên máy khác
resumed-mail = Hồ sơ { $reference } vừa được mở lại trên máy khác; máy cũ không mở được nữa.

    Nếu không phải ông/bà làm, hãy gọi ngay { $hotline }.
device-changed-sms = Ky So: DIEN THOAI KHAC vua duoc gan voi chu ky so cua ong/ba; may cu khong ky duoc nua. Khong phai ong/ba? Goi ngay { $hotline }.
device-changed-subject = Điện thoại khác đã được gắn với chữ ký số
device-changed-mail = Một điện thoại khác vừa được gắn với chữ ký số của ông/bà; máy cũ không ký được nữa.

    Nếu không phải ông/bà làm, hãy gọi ngay { $hotline } để khóa chữ ký số.
pin-changed-sms = Ky So: Ma PIN cua chu ky so vua duoc doi. Khong phai ong/ba? Goi ngay { $hotline }.
pin-changed-subject = Mã PIN của chữ ký số đã được đổi
pin-changed-mail = Mã PIN của chữ ký số của ông/bà vừa được đổi.

    Nếu không phải ông/bà làm, hãy gọi ngay { $hotline } để khóa chữ ký số.
locked-sms = Ky So: CANH BAO. Chu ky so da bi khoa vi nhap sai ma PIN 5 lan. Khong phai ong/ba? Goi ngay { $hotline }.
locked-subject = Chữ ký số đã bị khóa
locked-mail = Chữ ký số của ông/bà đã bị khóa vì nhập sai mã PIN 5 lần.

    Nếu không phải ông/bà nhập, hãy gọi ngay { $hotline }.
request-sms = Ky So: Co tai lieu cho ky. Mo bieu tuong Ky So de xem. Neu khong yeu cau, bam Tu choi. Ky So khong gui duong dan.
request-subject = Có tài liệu chờ ký
request-mail = Có tài liệu đang chờ ông/bà xem và ký.

    Mở biểu tượng Ký Số trên điện thoại. Nếu ông/bà không yêu cầu việc này, hãy bấm “Tôi không yêu cầu việc này”.
